import { usageError } from '../../cli-error.ts';
import { askSecret } from '../../prompt.ts';
import type { Terminal } from '../../terminal.ts';
import type { GroupParts } from '../groups.ts';
import { standardInput } from '../variable/standard-input.ts';

export function addPassword({ command, open, terminal }: GroupParts): void {
  command
    .command('password')
    .description('Change your password, which ends your other sessions')
    .option('--passwords-stdin', 'read two lines from standard input: the current one, and the new one')
    .action(async ({ passwordsStdin }) => {
      const wish = passwordsStdin ? await twoLines(terminal) : await asked(terminal);
      const { client, output } = await open();
      const changed = await client.access.changePassword(wish);
      if (output.isJson) output.json(changed);
      else output.say(`The password is changed; ${changed.sessions_ended} other sessions ended`);
    });
}

async function twoLines({ stdin }: Terminal): Promise<{ current: string; new: string }> {
  const [current, next, ...rest] = (await standardInput(stdin)).split(/\r?\n/);
  if (current && next && rest.length === 0) return { current, new: next };
  throw usageError('expected two lines on standard input: the current password, and the new one');
}

async function asked(terminal: Terminal): Promise<{ current: string; new: string }> {
  const current = await askSecret(terminal, 'Current password');
  const next = current && (await askSecret(terminal, 'New password'));
  const again = next && (await askSecret(terminal, 'New password, once more'));
  if (!current || !next) throw usageError('without a terminal it needs --passwords-stdin');
  if (next !== again) throw usageError('the two new passwords differ: nothing was changed');
  return { current, new: next };
}
