import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness/temporary-folder.ts';
import { generateAgeKeys } from '../../shared/node/age.ts';
import { readIdentity } from './identity-file.ts';

async function read(text: string, recipients: string[]): Promise<string> {
  using folder = temporaryFolder('cli-identity');
  const file = join(folder.path, 'escrow.key');
  writeFileSync(file, text);
  return await readIdentity(file, { stdin: Readable.from([]), recipients });
}

test('finds among several the identity that the archive is for', async () => {
  const [one, two] = [await generateAgeKeys(), await generateAgeKeys()];
  const text = `# created: 2026\n# public key: ${one.recipient}\n${one.identity}\r\n\n${two.identity}\n`;
  expect(await read(text, [two.recipient])).toBe(two.identity);
});

test('reads standard input for -', async () => {
  const { identity, recipient } = await generateAgeKeys();
  const stdin = Readable.from([Buffer.from(identity.slice(0, 20)), Buffer.from(identity.slice(20))]);
  expect(await readIdentity('-', { stdin, recipients: [recipient] })).toBe(identity);
});

test('names both sides when the archive is not for it', async () => {
  const { identity, recipient } = await generateAgeKeys();
  await expect(read(identity, ['age1other'])).rejects.toThrow(
    `it is for age1other, this is the key of ${recipient}`,
  );
});

test('no error quotes a key', async () => {
  const { identity } = await generateAgeKeys();
  const wrong = `${identity.slice(0, -2)}QQ`;
  const error = await read(wrong, []).catch((reason: unknown) => reason);
  expect(String(error)).toMatch(/not a valid one/);
  expect(String(error)).not.toContain(identity.slice(20, 40));
});

test('refuses what is no identity file, and says how an encrypted key is used', async () => {
  await expect(read('# nothing\n', [])).rejects.toThrow(/holds no age identity/);
  await expect(read('age-encryption.org/v1\n-> scrypt', [])).rejects.toMatchObject({
    hint: expect.stringContaining('age -d'),
  });
  const missing = readIdentity('/nonexistent/key', { stdin: Readable.from([]), recipients: [] });
  await expect(missing).rejects.toMatchObject({ exit: 'usage' });
});
