import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { packagedTaskFolder } from '../../build/layout.ts';
import { withFolder } from '../support/folder.ts';
import { builtExtension } from '../support/vsix.ts';

describe("a packaged task's raw output, before the agent masks it", () => {
  it('names a secret only to register it for masking, even with debug output on', () =>
    withFolder(async (folder) => {
      await builtExtension();
      const key = Buffer.from('the key of a storage account').toString('base64');
      const { stdout, stderr } = spawnSync(
        process.execPath,
        [join(packagedTaskFolder('FetchModel'), 'index.js')],
        {
          encoding: 'utf8',
          env: {
            PATH: process.env['PATH'],
            AGENT_TEMPDIRECTORY: folder,
            SYSTEM_DEFAULTWORKINGDIRECTORY: folder,
            SYSTEM_DEBUG: 'true',
            INPUT_STORAGEACCOUNT: 'account',
            INPUT_BLOBENDPOINT: 'http://127.0.0.1:9/account',
            INPUT_ACCOUNTKEY: key,
            INPUT_CONTAINER: 'models',
            INPUT_MODEL: 'file-type',
            INPUT_TARGETFOLDER: 'model',
          },
        },
      );
      const lines = `${stdout}${stderr}`.split('\n').filter((line) => line.includes(key));
      assert.match(stdout, /Code: STORAGE_UNREACHABLE/);
      assert.equal(lines.length > 0, true);
      for (const line of lines) assert.match(line, /^##vso\[task\.setsecret\]/);
    }));
});
