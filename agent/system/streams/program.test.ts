import { chmodSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../test/harness/temporary-folder.ts';
import { createStreams } from './create-streams.ts';

test.runIf(process.getuid?.() === 0)(
  'a command as another user has its variables, and the loader obeys none of them as root',
  async () => {
    using place = temporaryFolder('program');
    chmodSync(place.path, 0o777);
    const env = { LD_DEBUG: 'files', LD_DEBUG_OUTPUT: join(place.path, 'loaded'), TEXT: 'a "b"' };
    const argv: [string, ...string[]] = ['sh', '-c', 'id -un; echo "$TEXT"'];
    const program = await createStreams().program({ argv, env, user: 'nobody' });
    expect(await text(program.stdout)).toBe('nobody\na "b"\n');
    await program.ended;
    const owners = readdirSync(place.path).map((name) => statSync(join(place.path, name)).uid);
    expect([...new Set(owners)]).toEqual([65534]);
  },
);
