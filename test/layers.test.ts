import { posix } from 'node:path';
import { expect, test } from 'vitest';
import { importsOf, isCode, loadedBy, projectFiles, type SourceFile } from './harness/source-files.ts';

/** A folder and what it may import beside itself. The longest folder that a path begins with counts. */
const layers: Record<string, string[]> = {
  shared: [],
  'shared/node': ['shared'],

  'controller/store': ['shared', 'shared/node'],
  'controller/bus': ['shared', 'shared/node'],
  'controller/devices': ['shared', 'shared/node', 'controller/store', 'controller/bus'],
  'controller/access': ['shared', 'shared/node', 'controller/store', 'controller/bus', 'controller/devices'],
  'controller/content': ['shared', 'shared/node', 'controller/store', 'controller/bus'],
  'controller/tasks': [
    'shared',
    'shared/node',
    'controller/store',
    'controller/bus',
    'controller/devices',
    'controller/content',
  ],
  'controller/schedules': [
    'shared',
    'shared/node',
    'controller/store',
    'controller/bus',
    'controller/devices',
    'controller/content',
    'controller/tasks',
  ],
  'controller/questions': [
    'shared',
    'shared/node',
    'controller/store',
    'controller/bus',
    'controller/devices',
    'controller/tasks',
  ],
  'controller/webhooks': [
    'shared',
    'shared/node',
    'controller/store',
    'controller/bus',
    'controller/devices',
    'controller/content',
    'controller/tasks',
  ],
  'controller/sync': [
    'shared',
    'shared/node',
    'controller/store',
    'controller/bus',
    'controller/devices',
    'controller/content',
    'controller/tasks',
  ],
  'controller/assistant': [
    'shared',
    'shared/node',
    'controller/store',
    'controller/bus',
    'controller/devices',
    'controller/content',
    'controller/tasks',
    'controller/questions',
    'controller/schedules',
  ],
  'controller/link': ['shared', 'shared/node', 'controller/bus', 'controller/devices', 'controller/tasks'],
  'controller/tunnel': [
    'shared',
    'shared/node',
    'controller/store',
    'controller/bus',
    'controller/devices',
    'controller/tasks',
  ],
  'controller/api': [
    'shared',
    'shared/node',
    'controller/access',
    'controller/store',
    'controller/bus',
    'controller/devices',
    'controller/content',
    'controller/tasks',
    'controller/sync',
    'controller/schedules',
    'controller/assistant',
    'controller/questions',
    'controller/webhooks',
  ],
  controller: ['shared', 'shared/node', 'controller/*'],

  'agent/store': ['shared', 'shared/node'],
  'agent/system': ['shared', 'shared/node'],
  'agent/link': ['shared', 'shared/node'],
  'agent/releases': ['shared', 'shared/node', 'agent/system'],
  'agent/transaction': ['shared', 'shared/node', 'agent/system'],
  'agent/tunnel': ['shared', 'shared/node', 'agent/system'],
  'agent/handlers': [
    'shared',
    'shared/node',
    'agent/system',
    'agent/releases',
    'agent/transaction',
    'agent/tunnel',
  ],
  'agent/runner': ['shared', 'shared/node', 'agent/store', 'agent/handlers'],
  'agent/root-helper': ['shared', 'shared/node', 'agent/runner', 'agent/handlers', 'agent/system'],
  'agent/plugins': [
    'shared',
    'shared/node',
    'agent/system',
    'agent/releases',
    'agent/handlers',
    'agent/runner',
  ],
  'agent/loops': ['shared', 'shared/node', 'agent/runner', 'agent/link', 'agent/store', 'agent/system'],
  agent: ['shared', 'shared/node', 'agent/*'],

  cli: ['shared', 'shared/node'],
  web: ['shared'],
  systemd: ['*'],
  // They run on devices by themselves.
  plugins: [],
  test: ['*'],
  bench: ['*'],
};

/** Heavy libraries and the only folders that may know them. Others get what they need handed in. */
const homes: Record<string, string[]> = {
  '@node-rs/argon2': ['controller/access'],
  openai: ['controller/assistant'],
  'openid-client': ['controller/access'],
  croner: ['controller/schedules'],
  'better-sqlite3': ['controller/store', 'agent/store', 'shared/node'],
  kysely: ['controller/store'],
  pg: ['controller/store'],
  ws: [
    'controller/link',
    'controller/tunnel',
    'agent/link',
    'agent/tunnel',
    'agent/root-helper',
    'shared/node',
  ],
  liquidjs: ['controller/content'],
  '@aws-sdk/client-s3': ['controller/content'],
  '@aws-sdk/lib-storage': ['controller/content'],
  'tar-stream': ['agent/transaction', 'cli', 'controller/content'],
  'age-encryption': ['shared/node'],
  diff: ['controller/content'],
  '@lydell/node-pty': ['agent/system'],
  execa: ['agent/system'],
  systeminformation: ['agent/system'],
  fastify: ['controller/api', 'controller'],
  'fastify-type-provider-zod': ['controller/api'],
  '@fastify/helmet': ['controller/api'],
  '@fastify/rate-limit': ['controller/api'],
  '@fastify/swagger': ['controller/api'],
  commander: ['cli', 'controller', 'agent'],
  '@commander-js/extra-typings': ['cli', 'controller', 'agent'],
};

const files = projectFiles().filter(isCode);
/** A test stands beside its subject and may set the stage with anything of the same program, and with `test/`. */
const isUnitTest = (path: string) => path.endsWith('.test.ts');

const layerOf = (path: string): string | undefined =>
  Object.keys(layers)
    .filter((layer) => path.startsWith(`${layer}/`))
    .sort((left, right) => right.length - left.length)[0];

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

function brokenRules(file: SourceFile): string[] {
  const layer = layerOf(file.path);
  if (layer === undefined) return file.path.includes('/') ? [`${file.path} is in no layer`] : [];
  return importsOf(file).flatMap((specifier) => {
    const broken = specifier.startsWith('.')
      ? brokenByPath(file.path, layer, posix.join(posix.dirname(file.path), specifier))
      : brokenByPackage(file.path, layer, specifier);
    return broken === undefined ? [] : [`${file.path} imports ${specifier}: ${broken}`];
  });
}

function brokenByPath(from: string, layer: string, to: string): string | undefined {
  if (to === 'package.json') return undefined; // the version
  const target = layerOf(to);
  if (target === undefined) return `${to} is in no layer`;
  if (target === layer) return undefined;
  const [program] = layer.split('/');
  if (isUnitTest(from) && (target === 'test' || target.split('/')[0] === program || /^shared/.test(target))) {
    return undefined;
  }
  const allowed = layers[layer] ?? [];
  const may = allowed.some(
    (one) => one === '*' || one === target || (one.endsWith('/*') && target.startsWith(one.slice(0, -1))),
  );
  return may ? undefined : `${layer} may import ${allowed.join(', ') || 'nothing of ours'}`;
}

function brokenByPackage(from: string, layer: string, specifier: string): string | undefined {
  if (layers[layer]?.includes('*') || isUnitTest(from)) return undefined;
  if (layer === 'shared' && specifier !== 'zod') return 'shared runs in the browser too: zod only';
  const home = homes[packageOf(specifier)];
  return home === undefined || home.includes(layer)
    ? undefined
    : `${packageOf(specifier)} is only known in ${home.join(', ')}`;
}

test('imports point one way', () => {
  expect(files.flatMap(brokenRules)).toEqual([]);
});

test('nobody imports what composes a program, except tests and benchmarks', () => {
  const composing = files
    .filter(({ path }) => !isUnitTest(path) && !/^(test|bench)\//.test(path))
    .flatMap((file) =>
      importsOf(file)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => posix.join(posix.dirname(file.path), specifier))
        .filter((to) => /^(controller|agent)\/[^/]+$/.test(to))
        .filter((to) => posix.dirname(to) !== posix.dirname(file.path))
        .map((to) => `${file.path} imports ${to}`),
    );
  expect(composing).toEqual([]);
});

test('no file is loaded before it is complete: no import cycle', () => {
  const edges = new Map(
    files.map((file) => [
      file.path,
      loadedBy(file)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => posix.join(posix.dirname(file.path), specifier)),
    ]),
  );
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, above: string[]): void => {
    if (above.includes(path)) cycles.push([...above.slice(above.indexOf(path)), path].join(' → '));
    if (done.has(path) || above.includes(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...above, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  expect(cycles).toEqual([]);
});

test('every rule of the table is about a folder or a library that this test would notice', () => {
  const example = (path: string, specifier: string) =>
    brokenRules({ path, text: `import { x } from '${specifier}';` });

  expect(example('shared/clock.ts', 'node:fs')).toHaveLength(1);
  expect(example('agent/handlers/ping.ts', '../store/journal.ts')).toHaveLength(1);
  expect(example('agent/handlers/ping.ts', '../../controller/core.ts')).toHaveLength(1);
  expect(example('controller/tasks/submit.ts', 'better-sqlite3')).toHaveLength(1);
  expect(example('controller/link/hello.ts', '../store/store.ts')).toHaveLength(1);
  expect(example('cli/main.ts', '../agent/core.ts')).toHaveLength(1);
  expect(example('controller/tasks/submit.ts', '../devices/targets.ts')).toEqual([]);
});
