import { join } from 'node:path';
import { expect, test } from 'vitest';
import { signKeyChange } from '../shared/node/key-change.ts';
import { generateKeyPair, type KeyPair } from '../shared/node/keys.ts';
import { temporaryFolder } from '../test/harness/temporary-folder.ts';
import { DataFolder } from './data-folder.ts';
import { controllerKeysOf, Identity, readIdentity, readKeys, saveKeys } from './identity.ts';
import { shareEnrolment } from './share-enrolment.ts';

const [first, second] = [generateKeyPair(), generateKeyPair()];

function changed(old: KeyPair, next: KeyPair) {
  const named = { old: old.publicKey, next: next.publicKey, old_until: 1000 };
  const said = { purpose: 'controller-key', controller: 'controller-1', ...named };
  return signKeyChange(said, { old, next });
}

const identityOf = (over: object = {}): Identity =>
  Identity.parse({
    device_id: 'device-1',
    name: 'fw-1',
    organization: 'default',
    controller_id: 'controller-1',
    controller_key: first.publicKey,
    controller_url: 'https://muster.example',
    enrolled_at: '2026-01-01T00:00:00Z',
    ...over,
  });

test.runIf(process.getuid?.() === 0)(
  'the root helper keeps what it learned of its controller’s key, whatever the agent’s file says when root shares it again',
  async () => {
    using temporary = temporaryFolder('share');
    const agent = new DataFolder(join(temporary.path, 'agent'));
    const helper = new DataFolder(join(temporary.path, 'helper'));
    agent.create();
    const keys = saveKeys(agent, generateKeyPair());
    await shareEnrolment(agent, helper, identityOf());
    const before = readIdentity(helper);
    if (!before) throw new Error('the helper got no identity');
    controllerKeysOf(before, { folder: helper, now: () => 0 }).learn([changed(first, second)]);

    const forged = { ...changed(generateKeyPair(), generateKeyPair()) };
    for (const changes of [[], [forged]]) {
      await shareEnrolment(agent, helper, identityOf({ key_changes: changes }));
      const after = readIdentity(helper) ?? identityOf();
      expect(after.key_changes).toEqual([changed(first, second)]);
      expect(controllerKeysOf(after, { now: () => 0 }).newest).toBe(second.publicKey);
    }
    expect(readKeys(helper)?.publicKey).toBe(keys.publicKey);

    // Enrolled anew under the new key, nothing of before is needed.
    await shareEnrolment(agent, helper, identityOf({ controller_key: second.publicKey }));
    expect(readIdentity(helper)).toMatchObject({ controller_key: second.publicKey, key_changes: [] });
  },
);
