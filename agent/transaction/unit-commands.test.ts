import { expect, test } from 'vitest';
import { Unit, UnitCommand } from '../../shared/device-profile.ts';
import { restoreCommands, selectCommands, type UnitTexts } from './unit-commands.ts';

const command = (parts: object) => UnitCommand.parse({ argv: ['do', '{each}'], ...parts });
const texts = (before: Record<string, string>, after: Record<string, string>): UnitTexts => ({
  before: new Map(Object.entries(before)),
  after: new Map(Object.entries(after)),
});
const argvs = (commands: UnitCommand[]) => commands.map(({ argv }) => argv.join(' '));

test('a command without conditions runs once; what else it is for is left open', () => {
  const commands = [UnitCommand.parse({ argv: ['nft', '-f', '{snapshot}/rules', '{each}'] })];
  const change = texts({ '/a': '1' }, { '/a': '1' });
  expect(argvs(selectCommands(commands, change, { snapshot: '/s' }))).toEqual(['nft -f /s/rules {each}']);
});

test('a condition over lines ignores all other lines', () => {
  const restart = command({ argv: ['restart'], when: [{ lines: '^interface:', is: ['changed'] }] });
  const reload = command({ argv: ['reload'], when: [{ lines: '^interface:', is: ['unchanged', 'absent'] }] });
  const choose = (before: string, after: string) =>
    argvs(selectCommands([restart, reload], texts({ '/a': before }, { '/a': after })));

  expect(choose('interface: 1\nx: 1', 'interface: 1\nx: 2')).toEqual(['reload']);
  expect(choose('x: 1', 'x: 2')).toEqual(['reload']);
  expect(choose('interface: 1', 'interface: 2')).toEqual(['restart']);
});

test('a condition over files sees only them', () => {
  const restart = command({
    argv: ['restart'],
    when: [{ files: '/etc/frr/daemons', is: ['added', 'changed'] }],
  });
  const change = (daemons: string) =>
    texts(
      { '/etc/frr/frr.conf': '1', '/etc/frr/daemons': 'a' },
      { '/etc/frr/frr.conf': '2', '/etc/frr/daemons': daemons },
    );
  expect(selectCommands([restart], change('a'))).toEqual([]);
  expect(argvs(selectCommands([restart], change('b')))).toEqual(['restart']);
});

test('each file that is added or changed has its command; removed ones when asked for', () => {
  const change = texts(
    { '/w/a.conf': '1', '/w/b.conf': '1', '/w/c.conf': '1' },
    { '/w/a.conf': '1', '/w/b.conf': '2', '/w/d.conf': '1' },
  );
  const each = { for_each: { file: '/w/*.conf' } };
  expect(argvs(selectCommands([command(each)], change))).toEqual(['do b', 'do d']);
  expect(argvs(selectCommands([command({ ...each, when: [{ is: ['removed'] }] })], change))).toEqual([
    'do c',
  ]);
});

test('each section that changed has its command, whatever stands around it', () => {
  const each = { for_each: { section: '^\\s*iface\\s+(\\S+)', end: '^\\s*auto\\b' } };
  const before =
    'auto a\niface a inet static\n address 1\niface b inet dhcp\n# of b\nauto c\niface c inet dhcp\n';
  const after =
    'auto a c\niface a inet static\n  address 2\n\niface b inet dhcp\niface b inet6 auto\niface c inet dhcp\n';
  const change = texts({ '/etc/network/interfaces': before }, { '/etc/network/interfaces': after });
  expect(argvs(selectCommands([command(each)], change))).toEqual(['do a', 'do b']);
});

test('the way back sees what is added as removed, and uses the commands of apply when there are no others', () => {
  const apply = [command({ argv: ['up', '{each}'], for_each: { file: '/w/*' } })];
  const restore = [
    command({
      argv: ['down', '{each}', '{snapshot}'],
      for_each: { file: '/w/*' },
      when: [{ is: ['removed'] }],
    }),
  ];
  const unit = (parts: object) =>
    Unit.parse({ name: 'wg', summary: 'x', paths: [{ glob: '/w/*' }], apply, ...parts });
  const change = texts({ '/w/a': '1' }, { '/w/a': '2', '/w/b': '1' });
  expect(argvs(restoreCommands(unit({}), change, '/s'))).toEqual(['up a']);
  expect(argvs(restoreCommands(unit({ restore }), change, '/s'))).toEqual(['down b /s']);
});
