import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { measure } from '../measure.ts';
import type { Builder } from './builder.ts';
import type { Site } from './site.ts';

// The distribution specification's upload of one blob, of the model's bytes alone, hashed meanwhile.
const script = `
set -e
location() { grep -i '^location:' | tr -d '\\r' | cut -d' ' -f2-; }
where=$(curl --config "$1" --fail -X POST -D - -o /dev/null "$2/blobs/uploads/" | location)
sha256sum "$3" | cut -d' ' -f1 > "$1.digest" &
where=$(curl --config "$1" --fail -X PATCH -H 'content-type: application/octet-stream' -T "$3" -D - -o /dev/null "$where" | location)
wait $!
curl --config "$1" --fail -X PUT "$where&digest=sha256:$(cat "$1.digest")"
`;

/** What no builder that moves and hashes the model can be much faster than: sha256sum beside one PATCH by curl. */
export async function floor({ room, registry }: Site): Promise<Builder> {
  const config = join(room.folder, 'curl.conf');
  const user = `user = "${registry.username}:${registry.password}"\n`;
  await writeFile(config, `silent\nshow-error\n${user}header = "expect:"\n`, { mode: 0o600 });
  return {
    name: 'floor: sha256sum beside curl',
    async build({ modelFile }, repository) {
      const url = `${registry.url}/v2/${repository}`;
      const { sample } = await measure({
        command: 'bash',
        args: ['-c', script, 'floor', config, url, modelFile],
      });
      return sample;
    },
    reset: async () => undefined,
  };
}
