import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiUnderTest } from '../../test/harness/api.ts';
import { DesiredUnderTest } from '../../test/harness/desired.ts';

let api: ApiUnderTest;
let desired: DesiredUnderTest;
beforeAll(async () => {
  api = await ApiUnderTest.start();
  desired = new DesiredUnderTest(api);
});
afterAll(() => api[Symbol.asyncDispose]());

const motd = { path: '/etc/motd', unit: 'files', template: 'hello {{ device.name }}\n', absent: false };
const bundle = (over: object = {}) => ({ profile: 'test', targets: { all: true }, files: [motd], ...over });
const audit = async (action: string) => {
  const { items } = (await desired.ok('GET', `audit?action=${action}`)) as {
    items: { target: string; detail: object }[];
  };
  return items;
};

test('a bundle is read as it was written; lists leave the files out', async () => {
  const files = [motd, { path: '/etc/issue', unit: 'files', absent: true }];
  const put = await desired.ok('PUT', 'bundles/base', bundle({ files, description: 'what all have' }));
  expect(put).toMatchObject({ name: 'base', revision: 1, profile: 'test', file_count: 2, files });
  expect((await desired.ok('GET', 'bundles/base')).files).toEqual(files.toReversed());
  const { items } = (await desired.ok('GET', 'bundles')) as { items: object[] };
  expect(items.find((item) => 'name' in item && item.name === 'base')).not.toHaveProperty('files');
  expect((await audit('bundle.put'))[0]).toMatchObject({ target: 'base', detail: { revision: 1, files: 2 } });
});

test('a change makes a revision, the same again makes none; earlier ones can be read', async () => {
  await desired.ok('PUT', 'bundles/changing', bundle());
  expect(await desired.ok('PUT', 'bundles/changing', bundle())).toMatchObject({ revision: 1 });
  const files = [{ ...motd, template: 'bye' }];
  expect(await desired.ok('PUT', 'bundles/changing', bundle({ files }))).toMatchObject({ revision: 2 });
  const first = await desired.ok('GET', 'bundles/changing?revision=1');
  expect(first).toMatchObject({ revision: 1, files: [{ template: motd.template }] });
  expect((await desired.call('GET', 'bundles/changing?revision=9')).status).toBe(404);
});

test('a bundle that is deleted is gone with all its revisions', async () => {
  await desired.ok('PUT', 'bundles/gone', bundle());
  await desired.ok('DELETE', 'bundles/gone');
  expect((await desired.call('GET', 'bundles/gone')).status).toBe(404);
  expect((await desired.call('DELETE', 'bundles/gone')).status).toBe(404);
  expect((await audit('bundle.remove'))[0]).toMatchObject({ target: 'gone' });
});

describe('what could never be applied is refused at the door:', () => {
  const at = (path: string, over: object = {}) => ({ ...motd, path, ...over });
  const debian = (file: object) => ({ profile: 'debian', files: [file] });
  test.each([
    ['no targets', { targets: {} }, 'targets'],
    ['a path twice', { files: [motd, motd] }, 'more than once'],
    ['a file that is a folder too', { files: [at('/etc/a'), at('/etc/a/b')] }, '/etc/a is a file'],
    ['the agent’s settings', { files: [at('/etc/muster/agent.yaml')] }, 'belongs to the agent'],
    ['the folder of the agent', { files: [at('/var/lib/muster-agent')] }, 'belongs to the agent'],
    [
      'its unit',
      { files: [at('/etc/systemd/system/muster-agent.service.d/x.conf')] },
      'belongs to the agent',
    ],
    ['a template that is none', { files: [at('/etc/x', { template: '{% if %}' })] }, '/etc/x'],
    ['a template that reads files', { files: [at('/etc/x', { template: '{% include "a" %}' })] }, 'include'],
    ['an owner that is no name', { files: [at('/etc/x', { owner: 'Root!' })] }, 'owner'],
    ['a path that the unit does not manage', debian(at('/etc/shadow')), 'does not manage'],
    ['a unit that the profile does not have', debian(at('/etc/motd', { unit: 'cron' })), 'has no unit cron'],
    ['a mode that is too wide', debian(at('/etc/motd', { mode: '0666' })), 'allows more than'],
    [
      'an owner that the profile does not allow',
      debian(at('/etc/motd', { owner: 'nobody' })),
      'owner nobody',
    ],
  ])('%s', async (_, over, says) => {
    const answer = await desired.call('PUT', 'bundles/refused', bundle(over));
    expect(answer).toMatchObject({ status: 422, body: { code: 'invalid_parameters' } });
    expect(answer.body['error']).toContain(says);
    expect((await desired.call('GET', 'bundles/refused')).status).toBe(404);
  });

  test('all that is wrong is told at once', async () => {
    const files = [at('/etc/muster/x'), at('/etc/y', { template: '{{' })];
    const { body } = await desired.call('PUT', 'bundles/refused', bundle({ files }));
    expect(body['detail']).toHaveLength(2);
  });

  test.each(['../x', 'relative', '/etc/../shadow', '/etc//x', '/etc/x\ny'])('the path %j', async (path) => {
    expect((await desired.call('PUT', 'bundles/refused', bundle({ files: [at(path)] }))).status).toBe(400);
  });
});

test('a bundle may be larger than other bodies, within its bound', async () => {
  const files = Array.from({ length: 5 }, (_, n) => ({
    ...motd,
    path: `/etc/${n}`,
    template: 'x'.repeat(1_000_000),
  }));
  await desired.ok('PUT', 'bundles/large', bundle({ files }));
  const many = Array.from({ length: 17 }, (_, n) => ({ ...files[0], path: `/etc/${n}` }));
  expect((await desired.call('PUT', 'bundles/large', bundle({ files: many }))).status).toBe(413);
});
