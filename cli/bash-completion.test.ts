import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { bashCompletion } from './bash-completion.ts';

/** What a bare bash without any package offers at TAB, when `muster complete` answers `offers`. */
async function offered(typed: string, offers: string[]): Promise<{ asked: string; replies: string[] }> {
  const script = `${bashCompletion}
    muster() { printf '%s|' "$@" >&2; printf '%s\\tmeaning\\n' $OFFERS; echo ':4'; }
    COMP_LINE=$TYPED; COMP_POINT=\${#TYPED}
    exec 3>&2
    eval "$(declare -f _muster_complete | sed 's,2> */dev/null,2>\\&3,')"
    _muster_complete
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await promisify(execFile)('bash', ['--norc', '--noprofile', '-c', script], {
    env: { PATH: process.env.PATH, TYPED: typed, OFFERS: offers.join(' ') },
  });
  return { asked: stderr, replies: stdout.split('\n').filter((line) => line !== '') };
}

test('a bare bash completes words from the answer of muster', async () => {
  expect(await offered('muster ta', ['task', 'run'])).toEqual({
    asked: 'complete|--|ta|',
    replies: ['task'],
  });
  expect(await offered('muster task ', ['list'])).toEqual({ asked: 'complete|--|task||', replies: ['list'] });
});

test('after = and : only what readline replaces is answered', async () => {
  const { replies } = await offered('muster task list --status=FA', ['--status=FAILED', '--status=PENDING']);
  expect(replies).toEqual(['FAILED']);
});

test('TAB runs nothing of what stands on the command line', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'muster-completion-'));
  try {
    const trap = join(folder, 'ran');
    await offered(`muster run script -- $(touch\t${trap}) \`touch\t${trap}\` ; touch ${trap} ; x`, ['x']);
    expect(existsSync(trap)).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
