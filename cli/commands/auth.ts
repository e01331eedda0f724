import { meView } from '../views/access.ts';
import { addLogin, addLogout } from './auth/login.ts';
import { addPassword } from './auth/password.ts';
import { addAuthToken } from './auth/token.ts';
import type { GroupParts } from './groups.ts';

export function addAuthCommands(parts: GroupParts): void {
  const { command, open } = parts;
  addLogin(parts);
  addLogout(parts);
  command
    .command('me')
    .description('Show who the token belongs to and what it may do')
    .action(async () => {
      const { client, output } = await open();
      output.one(await client.access.me(), meView);
    });
  addPassword(parts);
  addAuthToken(command, open);
}
