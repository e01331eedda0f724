import { resolve } from 'node:path';
import type { GroupParts } from './groups.ts';

/** `muster ssh-config`: a block for ~/.ssh/config that makes ssh, scp and rsync reach DEVICE.muster. */
export function addSshConfig({ command, terminal, flags }: GroupParts): void {
  command.option('--user <user>', 'user on the devices', 'root').action(({ user }) => {
    const self = process.argv[1] === undefined ? 'muster' : `${process.execPath} ${resolve(process.argv[1])}`;
    const { profile: chosen } = flags();
    const profile = chosen === undefined ? '' : ` --profile ${chosen}`;
    terminal.stdout.write(
      [
        'Host *.muster',
        `  User ${user}`,
        // The device proves itself by its own host key, kept under the name of the device.
        '  HostKeyAlias %n',
        `  ProxyCommand ${self}${profile} proxy %h %p`,
        '  ServerAliveInterval 60',
        '',
      ].join('\n'),
    );
  });
}
