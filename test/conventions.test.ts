import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { taskContracts } from '../shared/task-types/contracts.ts';
import { missingOptional, readLockFile } from './harness/lock-file.ts';
import { isCode, isTest, parseSource, projectFiles, projectRoot } from './harness/source-files.ts';

const files = projectFiles();
const code = files.filter(isCode);
const parsed = code.map((file) => ({ ...file, tree: parseSource(file) }));
const documents = files.filter(({ path }) => path.endsWith('.md'));

/** Tools that demand a default export. */
const configurations = ['vitest.config.ts', 'eslint.config.js'];

const lineOf = (tree: ts.SourceFile, node: ts.Node): number =>
  tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;

const linesOf = (tree: ts.SourceFile, node: ts.Node): number =>
  tree.getLineAndCharacterOfPosition(node.getEnd()).line + 2 - lineOf(tree, node);

function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => {
    children.push(child);
  });
  for (const child of children) yield* nodesOf(child);
}

test('no file of code is longer than 400 lines', () => {
  const long = code
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > 400);
  expect(long).toEqual([]);
});

/** Long, and not for what they do. */
const longFunctions: Record<string, string> = {
  'controller/store/tables/tasks.ts': 'the text of the tables, one statement after the other',
};

test('no function is longer than 80 lines', () => {
  const long = parsed
    .filter((file) => !isTest(file) && !(file.path in longFunctions))
    .flatMap(({ path, tree }) =>
      [...nodesOf(tree)]
        .filter((node) => ts.isFunctionLike(node) && 'body' in node && node.body !== undefined)
        .map((node) => ({ at: `${path}:${lineOf(tree, node)}`, lines: linesOf(tree, node) }))
        .filter(({ lines }) => lines > 80),
    );
  expect(long).toEqual([]);
});

test('no file is empty', () => {
  expect(files.filter(({ text }) => text.trim() === '').map(({ path }) => path)).toEqual([]);
});

test('files and folders are kebab-case and named after a thing, not after what does not fit elsewhere', () => {
  const named = code.map(({ path }) => path);
  const odd = named.filter(
    (path) =>
      !/^([a-z0-9-]+\/)*[a-z0-9-]+(\.[a-z0-9-]+)?(\.(test|config))?\.(ts|js)$/.test(
        path.replace(/^\.ci\//, 'ci/'),
      ),
  );
  expect(odd).toEqual([]);
  expect(named.filter((path) => /(^|\/)(utils?|helpers?|common|misc|lib)\//.test(path))).toEqual([]);
});

test('exports are named, and no file exists only to hand on others', () => {
  const broken = parsed.flatMap(({ path, tree }) =>
    tree.statements
      .filter(
        (statement) =>
          (ts.isExportAssignment(statement) && !configurations.includes(path)) ||
          (ts.isExportDeclaration(statement) && statement.exportClause === undefined),
      )
      .map((statement) => `${path}:${lineOf(tree, statement)} ${statement.getText(tree)}`),
  );
  const barrels = parsed
    .filter(
      ({ tree }) =>
        tree.statements.length > 0 &&
        tree.statements.every((statement) => ts.isExportDeclaration(statement) && statement.moduleSpecifier),
    )
    .map(({ path }) => `${path} only re-exports`);
  expect([...broken, ...barrels]).toEqual([]);
});

test('modules hold no state: no `let` or `var` at the top of a file', () => {
  const state = parsed
    .filter((file) => !isTest(file) && !file.path.startsWith('bench/'))
    .flatMap(({ path, tree }) =>
      tree.statements
        .filter(
          (statement) =>
            ts.isVariableStatement(statement) && !(statement.declarationList.flags & ts.NodeFlags.Const),
        )
        .map((statement) => `${path}:${lineOf(tree, statement)} ${statement.getText(tree).slice(0, 60)}`),
    );
  expect(state).toEqual([]);
});

/** The only test code that may use timers: it waits for a condition with a deadline, or is a path on which bytes take their time. */
const waiters = ['test/harness/until.ts', 'test/harness/delayed-port.ts'];

test('tests do not sleep', () => {
  const timer = /^(setTimeout|setInterval)$/;
  const sleeping = parsed
    .filter(({ path }) => path.endsWith('.test.ts') || path.startsWith('test/harness/'))
    .filter(({ path }) => !waiters.includes(path))
    .flatMap(({ path, tree }) =>
      [...nodesOf(tree)]
        .filter(
          (node) =>
            (ts.isCallExpression(node) &&
              ts.isIdentifier(node.expression) &&
              timer.test(node.expression.text)) ||
            (ts.isImportDeclaration(node) &&
              /timers\/promises/.test(node.moduleSpecifier.getText(tree)) &&
              /setTimeout|scheduler/.test(node.importClause?.getText(tree) ?? '')),
        )
        .map((node) => `${path}:${lineOf(tree, node)}`),
    );
  expect(sleeping).toEqual([]);
});

test('no committed text names a place of one machine or the host of a package registry', () => {
  const places = [
    ['/', 'work', '/(main|shared|brief)'],
    ['/', 'home', '/[a-z]+/'],
    ['/', 'root', '/'],
    ['/', 'Users', '/'],
    ['registry', '\\.', '(npmjs|yarnpkg)'],
    ['npmjs', '\\.', '(org|com)'],
  ].map((parts) => new RegExp(`(?<![A-Za-z0-9_.-])${parts.join('')}`));
  const named = files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const place = places.find((one) => one.test(line));
      return place === undefined ? [] : [`${path}:${index + 1} ${place.source}`];
    }),
  );
  expect(named).toEqual([]);
});

test('no committed text holds a secret', () => {
  const secrets = [
    /-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{40,}/,
    /\bme1\.[A-Za-z0-9_-]{60,}/,
    /\bgh[pousr]_[A-Za-z0-9]{30,}/,
  ];
  const holding = files.filter(({ text }) => secrets.some((secret) => secret.test(text)));
  expect(holding.map(({ path }) => path)).toEqual([]);
});

test('every task type’s contract and handler stand in files of its name', () => {
  const missing = Object.keys(taskContracts)
    .map((type) => type.toLowerCase().replaceAll('_', '-'))
    .flatMap((name) => [`shared/task-types/${name}.ts`, `agent/handlers/${name}.ts`])
    .filter((path) => !files.some((file) => file.path === path));
  expect(missing).toEqual([]);
});

test('links between documents lead somewhere', () => {
  const broken = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target) && !target.startsWith('#'))
      .filter((target) => !existsSync(join(projectRoot, dirname(path), target.replace(/#.*$/, ''))))
      .map((target) => `${path} → ${target}`),
  );
  expect(broken).toEqual([]);
});

test('every npm command that a document names exists', () => {
  const { scripts } = JSON.parse(files.find(({ path }) => path === 'package.json')?.text ?? '{}') as {
    scripts: Record<string, string>;
  };
  const unknown = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/npm (?:run (?:-s |--silent )?([a-z:-]+)|(test|start)\b)/g)]
      .map(([, run, short]) => run ?? short ?? '')
      .filter((name) => !(name in scripts))
      .map((name) => `${path}: npm run ${name}`),
  );
  expect(unknown).toEqual([]);
});

test('the programs that package.json installs exist and can be executed', () => {
  const { bin } = JSON.parse(files.find(({ path }) => path === 'package.json')?.text ?? '{}') as {
    bin: Record<string, string>;
  };
  for (const [name, path] of Object.entries(bin)) {
    const file = files.find((one) => one.path === path);
    expect(file?.text.split('\n')[0], `${name}: ${path}`).toBe('#!/usr/bin/env node');
    expect(
      () => execFileSync('test', ['-x', join(projectRoot, path)]),
      `${path} is executable`,
    ).not.toThrow();
  }
});

test('the lock file is complete: mend it with `npm run lock`', () => {
  const missing = missingOptional(readLockFile(join(projectRoot, 'package-lock.json')));
  expect(missing.map(({ name }) => name)).toEqual([]);
});
