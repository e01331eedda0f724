import { expect, test } from 'vitest';
import type { SignedKeyChange } from '../protocol/key-change.ts';
import { ControllerKeys } from './controller-keys.ts';
import { signKeyChange } from './key-change.ts';
import { generateKeyPair, type KeyPair, signText } from './keys.ts';

const [first, second, third, stranger] = [0, 1, 2, 3].map(generateKeyPair) as [
  KeyPair,
  KeyPair,
  KeyPair,
  KeyPair,
];

const change = (old: KeyPair, next: KeyPair, until = 1000, over: object = {}): SignedKeyChange => {
  const keys = { old: old.publicKey, next: next.publicKey };
  const said = { purpose: 'controller-key', controller: 'c', old_until: until, ...keys, ...over };
  return signKeyChange(said, { old, next });
};

function trusting(key: KeyPair, now = () => 500) {
  const saved: SignedKeyChange[][] = [];
  const keys = new ControllerKeys({
    controllerId: 'c',
    pinned: key.publicKey,
    now,
    save: (changes) => void saved.push(changes),
  });
  const obeys = (who: KeyPair): boolean => keys.isSigned('an order', signText('an order', who.privateKey));
  return { keys, obeys, saved };
}

test('both keys count during the overlap, then only the new one', () => {
  let now = 999;
  const { keys, obeys } = trusting(first, () => now);
  expect(keys.learn([change(first, second)])).toBe(1);
  expect([first, second, stranger].map(obeys)).toEqual([true, true, false]);
  now = 1000;
  expect([first, second].map(obeys)).toEqual([false, true]);
});

test('who was away for two changes follows from the first key to the last', () => {
  const { keys, obeys } = trusting(first);
  expect(keys.learn([change(first, second, 10), change(second, third)])).toBe(2);
  expect([first, second, third].map(obeys)).toEqual([false, true, true]);
});

test('who enrolled later leaves out what came before its own key', () => {
  const { keys, obeys } = trusting(second);
  expect(keys.learn([change(first, second), change(second, third)])).toBe(1);
  expect([first, third].map(obeys)).toEqual([false, true]);
});

test.each<[string, () => SignedKeyChange]>([
  ['by a key that is not trusted', () => change(stranger, third)],
  ['from the old key, once it handed on', () => change(first, stranger)],
  ['for another controller', () => change(second, third, 1000, { controller: 'other' })],
  ['of another purpose', () => change(second, third, 1000, { purpose: 'device-key' })],
  [
    'that the next key did not sign',
    () => ({ ...change(second, third), by_next: change(second, stranger).by_next }),
  ],
  [
    'that the old key did not sign',
    () => ({ ...change(second, third), by_old: change(stranger, third).by_old }),
  ],
  [
    'that says something else than was signed',
    () => ({ ...change(second, third), statement: change(second, stranger).statement }),
  ],
  ['without sense', () => ({ statement: '{', by_old: '', by_next: '' })],
])('a change %s is left out', (_what, wrong) => {
  const { keys, obeys, saved } = trusting(first);
  keys.learn([change(first, second)]);
  expect(keys.learn([wrong()])).toBe(0);
  expect([stranger, third].map(obeys)).toEqual([false, false]);
  expect(saved).toHaveLength(1);
});

test('a change that is told again ends its old key sooner, never later', () => {
  const { keys, obeys } = trusting(first);
  keys.learn([change(first, second, 1000)]);
  expect(keys.learn([change(first, second, 9000)])).toBe(0);
  expect(keys.known.oldControllerKeyUntil).toBe(1000);
  expect(keys.learn([change(first, second, 0)])).toBe(1);
  expect([first, second].map(obeys)).toEqual([false, true]);
});

test('a change that cannot be saved does not count', () => {
  const keys = new ControllerKeys({
    controllerId: 'c',
    pinned: first.publicKey,
    now: () => 500,
    save: () => {
      throw new Error('the disk is full');
    },
  });
  expect(() => keys.learn([change(first, second)])).toThrow('the disk is full');
  expect(keys.newest).toBe(first.publicKey);
});

test('what was saved is what the next life trusts', () => {
  const { keys, saved } = trusting(first);
  keys.learn([change(first, second), change(second, third)]);
  const next = new ControllerKeys({
    controllerId: 'c',
    pinned: first.publicKey,
    changes: saved.at(-1) ?? [],
    now: () => 500,
  });
  expect(next.known).toEqual(keys.known);
});
