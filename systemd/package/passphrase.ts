import { readFileSync } from 'node:fs';

/** Where a passphrase comes from; never from the command line, which others on the machine can read. */
export interface PassphrasePlace {
  /** A file, or `/dev/fd/N` for a descriptor; its first line. Absent: the terminal. */
  file: string | undefined;
  terminal: NodeJS.Process;
}

/** The passphrase of a key that is there. */
export async function readPassphrase(place: PassphrasePlace): Promise<string> {
  if (place.file === undefined) return ask(place, 'Passphrase of the key');
  const [line = ''] = readFileSync(place.file, 'utf8').split('\n');
  return line;
}

/** The passphrase of a new key: typed twice. Throws for an empty one. */
export async function choosePassphrase(place: PassphrasePlace): Promise<string> {
  const chosen = await readPassphrase(place);
  if (chosen === '') {
    throw new Error('the passphrase is empty: choose one, or say --no-passphrase');
  }
  if (place.file === undefined && (await ask(place, 'The same once more')) !== chosen) {
    throw new Error('the passphrases are not the same: nothing was made');
  }
  return chosen;
}

async function ask({ terminal: { stdin, stderr } }: PassphrasePlace, message: string): Promise<string> {
  if (!stdin.isTTY) {
    throw new Error('there is no terminal to ask for the passphrase: say --passphrase-file FILE');
  }
  const { password } = await import('@inquirer/prompts');
  return password({ message, mask: false }, { input: stdin, output: stderr });
}
