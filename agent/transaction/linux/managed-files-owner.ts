import { readFile } from 'node:fs/promises';
import { TaskError } from '../../../shared/errors.ts';
import { runTool } from '../../system/tool.ts';

type Kind = 'passwd' | 'group';
const called = { passwd: 'user', group: 'group' } as const satisfies Record<Kind, string>;

/** Names and numbers of the machine's users and groups, as they are when it is made. */
export class AccountNames {
  readonly #ids: Record<Kind, Map<string, number>>;
  readonly #names: Record<Kind, Map<number, string>>;

  private constructor(texts: Record<Kind, string>) {
    const entries = { passwd: parse(texts.passwd), group: parse(texts.group) };
    const reversed = (kind: Kind) => new Map([...entries[kind]].reverse().map(([name, id]) => [id, name])); // the first name counts
    this.#ids = { passwd: new Map(entries.passwd), group: new Map(entries.group) };
    this.#names = { passwd: reversed('passwd'), group: reversed('group') };
  }

  static async load(): Promise<AccountNames> {
    const [passwd, group] = await Promise.all([
      readFile('/etc/passwd', 'utf8'),
      readFile('/etc/group', 'utf8'),
    ]);
    return new AccountNames({ passwd, group });
  }

  /** The name of a number; the number itself when nobody is called so. */
  nameOf(kind: Kind, id: number): string {
    return this.#names[kind].get(id) ?? String(id);
  }

  /** The number of a name, or of a number. Throws `TaskError` for a name that the machine does not know. */
  async idOf(kind: Kind, name: string): Promise<number> {
    const known = this.#ids[kind].get(name);
    if (known !== undefined) return known;
    if (/^\d+$/.test(name)) return Number(name);
    const end = await runTool('getent', [kind, name], { timeoutMs: 10_000 }); // directories beyond the local files
    const found = end?.exitCode === 0 ? parse(end.stdout)[0] : undefined;
    if (found) return found[1];
    throw new TaskError(`${called[kind]}_unknown`, `The machine has no ${called[kind]} ${name}`);
  }
}

const parse = (text: string): [string, number][] =>
  text.split('\n').flatMap((line) => {
    const [name, , id] = line.split(':');
    return name && id !== undefined && /^\d+$/.test(id) ? [[name, Number(id)]] : [];
  });
