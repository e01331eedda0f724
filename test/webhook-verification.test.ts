import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { lacks, notTested } from './harness/not-tested.ts';
import { projectRoot } from './harness/source-files.ts';
import { temporaryFolder } from './harness/temporary-folder.ts';
import { type Received, WebhookReceiver } from './harness/webhook-receiver.ts';
import { WebhooksUnderTest } from './harness/webhooks-under-test.ts';

const document = readFileSync(join(projectRoot, 'docs/webhooks.md'), 'utf8');
const [, script = ''] = /```sh\n([\s\S]*?)```/.exec(document) ?? [];

/** Runs the lines of the document as they stand there. */
async function verify(message: Received, secret: string, text = message.text): Promise<string> {
  using folder = temporaryFolder('webhook');
  writeFileSync(join(folder.path, 'body.json'), text);
  const env = {
    PATH: process.env['PATH'],
    SECRET: secret,
    WEBHOOK_ID: message.id,
    WEBHOOK_TIMESTAMP: String(message.timestamp),
    WEBHOOK_SIGNATURE: message.signatures.join(' '),
  };
  const ran = promisify(execFile)('sh', ['-c', script], { cwd: folder.path, env });
  return await ran.then(
    ({ stdout }) => stdout.trim(),
    (error: { stdout?: string }) => String(error.stdout).trim(),
  );
}

const reason = lacks('openssl');

test.skipIf(notTested('verifying a webhook in a shell', reason))(
  'the lines of the document tell a genuine message from a forged one',
  async () => {
    await using receiver = await WebhookReceiver.start();
    await using webhooks = await WebhooksUnderTest.start();
    const old = await webhooks.add({ url: receiver.url, name: 'ops' });
    await webhooks.event('device.renamed', { from: 'fw-1', to: 'Brücke "Süd" \\n' });
    await webhooks.until('it arrived', () => receiver.received.length === 1);
    const { secret } = await webhooks.service.rotateSecret(webhooks.actor, 'ops');
    await webhooks.service.test(webhooks.actor, 'ops');
    const [before, after] = receiver.received;
    if (before === undefined || after === undefined) throw new Error('two messages were sent');

    expect(await verify(before, old)).toBe('genuine');
    expect(await verify(before, secret)).toBe('forged');
    expect(await verify(before, old, before.text.replace('fw-1', 'fw-2'))).toBe('forged');
    expect(await verify({ ...before, timestamp: before.timestamp + 1 }, old)).toBe('forged');
    expect([await verify(after, old), await verify(after, secret)]).toEqual(['genuine', 'genuine']);
  },
);
