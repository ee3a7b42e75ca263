import assert from 'node:assert/strict';
import { setImmediate as afterwards } from 'node:timers/promises';
import type { S3SessionKeys } from '../../../src/model/s3/location.ts';
import { keepSession } from '../../../src/model/s3/session.ts';

/** Sessions that are numbered and end after so many milliseconds; a negative one fails. */
function sessions(...lives: readonly number[]) {
  let begun = 0;
  let now = 0;
  const begin = async (): Promise<S3SessionKeys> => {
    const life = lives[Math.min(begun, lives.length - 1)] ?? 0;
    begun += 1;
    if (life < 0) throw new Error('no session');
    return {
      accessKeyId: `${begun}`,
      secretAccessKey: 's',
      sessionToken: 't',
      expiration: new Date(now + life),
    };
  };
  return {
    session: keepSession(begin, () => now),
    begun: () => begun,
    pass: (milliseconds: number) => {
      now += milliseconds;
      return afterwards();
    },
  };
}

describe("a role's session", () => {
  it('is begun once for all who ask together, and kept while it lasts', async () => {
    const { session, begun } = sessions(3_600_000);
    assert.equal(begun(), 0);
    const keys = await Promise.all([session(), session(), session()]);
    assert.deepEqual(
      keys.map(({ accessKeyId }) => accessKeyId),
      ['1', '1', '1'],
    );
    assert.equal((await session()).accessKeyId, '1');
    assert.equal(begun(), 1);
  });

  it('is renewed five minutes before its end, beside the requests', async () => {
    const { session, begun, pass } = sessions(3_600_000);
    await session();
    await pass(3_299_000);
    assert.equal((await session()).accessKeyId, '1');
    assert.equal(begun(), 1);
    await pass(2_000);
    assert.equal((await session()).accessKeyId, '1', 'it still lasts');
    await pass(0);
    assert.equal((await session()).accessKeyId, '2');
    assert.equal(begun(), 2);
  });

  it('is waited for when it is over', async () => {
    const { session, pass } = sessions(3_600_000);
    await session();
    await pass(3_600_000);
    assert.equal((await session()).accessKeyId, '2');
  });

  it('outlives a renewal that fails, as long as it lasts itself', async () => {
    const { session, pass } = sessions(3_600_000, -1);
    await session();
    await pass(3_400_000);
    assert.equal((await session()).accessKeyId, '1');
    await pass(199_000);
    await assert.rejects(session(), /no session/);
  });

  it('is asked for again after a failure', async () => {
    const { session } = sessions(-1, 3_600_000);
    await assert.rejects(session(), /no session/);
    assert.equal((await session()).accessKeyId, '2');
  });
});
