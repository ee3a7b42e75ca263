import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withFolder } from '../support/folder.ts';
import { probe, run } from '../unit/agent/fixture.ts';

/** Whether the process runs; one that has ended but was not yet collected does not. */
async function lives(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && !/\) Z /.test(stat);
}

/** Waits until none of them runs; mocha's time-out ends a wait that is in vain. */
async function untilGone(pids: readonly number[]): Promise<void> {
  for (const pid of pids) while (await lives(pid)) await sleep(20);
}

describe('the local agent’s limits', () => {
  it('tries a failed task again, as often as it is told', async () => {
    await withFolder(async (folder) => {
      const marker = join(folder, 'tries');
      const count = `n=$(cat ${marker} 2>/dev/null | wc -l); echo x >> ${marker}; [ $n -ge 2 ]`;
      const { step } = await run(
        folder,
        `steps:\n- bash: '${count}'\n  name: flaky\n  retryCountOnTaskFailure: 5\n`,
      );
      assert.equal(step('flaky').result, 'Succeeded');
      assert.equal((await readFile(marker, 'utf8')).length, 6);
    });
  });

  it('ends a step that runs out of its time', async () => {
    await withFolder(async (folder) => {
      const yaml =
        'steps:\n- { bash: sleep 600, name: slow, timeoutInMinutes: 0.003 }\n- { bash: echo x, name: after, condition: always() }\n';
      const { step } = await run(folder, yaml);
      assert.equal(step('slow').result, 'Failed');
      assert.match(step('slow').issues[0]?.message ?? '', /timed out/);
      assert.equal(step('after').result, 'Succeeded');
    });
  });

  it('cancels: a stubborn task and its children really end, always() steps still run, nothing else does', async () => {
    await withFolder(async (folder) => {
      const controller = new AbortController();
      const script =
        "process.on('SIGINT', () => console.log('no to SIGINT')); process.on('SIGTERM', () => console.log('no to SIGTERM'));\n" +
        "const child = require('child_process').spawn('sleep', ['600']); console.log('pids', process.pid, child.pid, 'here');\n" +
        'setInterval(() => {}, 1000)\n';
      const yaml = `steps:\n${probe('p', script)}- { bash: echo x, name: next }\n- { bash: echo x, name: cleanup, condition: always() }\n`;
      const { result, text, step } = await run(folder, yaml, {
        signal: controller.signal,
        cancelTimes: { interruptMs: 150, terminateMs: 150 },
        onText: (said) => {
          if (/pids \d+ \d+ here/.test(said)) controller.abort();
        },
      });
      assert.equal(result.result, 'Canceled');
      assert.equal(step('p').result, 'Canceled');
      assert.equal(step('next').result, 'Skipped');
      assert.equal(step('cleanup').result, 'Succeeded');
      assert.match(text, /no to SIGINT[\s\S]*no to SIGTERM/);
      const pids = /pids (\d+) (\d+) here/.exec(text)?.slice(1).map(Number) ?? [];
      assert.equal(pids.length, 2);
      await untilGone(pids);
    });
  });

  it('runs no further job or stage after it was cancelled', async () => {
    await withFolder(async (folder) => {
      const controller = new AbortController();
      const yaml =
        'jobs:\n- job: A\n  steps: [ { bash: "echo now; exec sleep 600" } ]\n- job: B\n  steps: [ { bash: echo x } ]\n';
      const { result } = await run(folder, yaml, {
        signal: controller.signal,
        onText: (said) => {
          if (/│ now/.test(said)) controller.abort();
        },
      });
      assert.deepEqual(
        result.stages[0]?.jobs.map((job) => job.result),
        ['Canceled', 'Canceled'],
      );
    });
  });

  it('keeps a background process until the job ends, and no longer', async () => {
    await withFolder(async (folder) => {
      const yaml =
        'steps:\n- bash: |\n    sleep 600 >/dev/null 2>&1 &\n    echo "##vso[task.setvariable variable=pid]$!"\n- { bash: "kill -0 $(pid) && echo it lives as pid $(pid).", name: later }\n';
      const { text, step } = await run(folder, yaml);
      assert.equal(step('later').result, 'Succeeded');
      const pid = Number(/it lives as pid (\d+)/.exec(text)?.[1]);
      assert.ok(pid > 1);
      await untilGone([pid]);
    });
  });
});
