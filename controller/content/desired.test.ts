import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Manifest } from '../../shared/manifest.ts';
import { systemRandom } from '../../shared/node/system-clock.ts';
import type { VariableRow } from '../store/variables.ts';
import { composeDesired, contentDigest, manifestText } from './desired.ts';
import { TemplateRenderer } from './render.ts';
import { sha256Of } from './sha256.ts';
import { VariableSet } from './variable-set.ts';

const renderer = new TemplateRenderer(systemRandom);
const facts = { encryption_recipient: 'age1x' };
const device = { id: 'id', name: 'fw', labels: { site: 'a', tier: 'b' }, facts };

const variable = (name: string, over: Partial<VariableRow> = {}): VariableRow => ({
  organizationId: 'home',
  scope: 'organization',
  key: '',
  name,
  value: '1',
  sealed: null,
  keyId: null,
  tag: null,
  updatedBy: '',
  updatedAt: 0,
  ...over,
});

/** Bundles by name, each with templates by path. */
function compose(bundles: Record<string, Record<string, string>>, rows: VariableRow[] = []) {
  const texts = Object.values(bundles).flatMap((files) => Object.values(files));
  return composeDesired({
    device,
    bundles: Object.entries(bundles).map(([name, files]) => ({
      row: {
        id: name,
        organizationId: 'home',
        name,
        revision: 1,
        profile: 'test',
        description: '',
        targets: { all: true },
        updatedBy: '',
        fileCount: 1,
        createdAt: 0,
        updatedAt: 0,
      },
      files: Object.entries(files).map(([path, text]) => ({
        path,
        unit: 'files',
        template: sha256Of(text),
        mode: null,
        owner: null,
        group: null,
      })),
    })),
    templates: new Map(texts.map((text) => [sha256Of(text), text])),
    variables: new VariableSet(rows).for(device),
    profile: undefined,
    renderer,
  });
}

function contentOf(...given: Parameters<typeof compose>): string {
  const outcome = compose(...given);
  if (!outcome.ok) throw new Error(outcome.problem.message);
  return outcome.desired.content;
}

const path = fc.stringMatching(/^[a-z]{1,4}$/).map((name) => `/etc/${name}`);
const files = fc.dictionary(path, fc.constantFrom('a', 'b {{ x }}', '{{ device.name }}', '{{ secret }}'), {
  minKeys: 1,
});
const rows = [variable('x'), variable('secret', { value: null, sealed: 's', keyId: 'k', tag: 't' })];

test('the same files give the same content and the same text, however they are shared out among bundles', () => {
  fc.assert(
    fc.property(files, fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }), (all, sides) => {
      const entries = Object.entries(all);
      const [left, right] = [true, false].map((side) =>
        Object.fromEntries(entries.filter((_, at) => sides[at % sides.length] === side).reverse()),
      ) as [typeof all, typeof all];
      const whole = compose({ one: all }, rows);
      const shared = compose({ left, right }, rows.toReversed());
      if (!whole.ok || !shared.ok) throw new Error('not composed');
      expect(shared.desired.content).toBe(whole.desired.content);
      expect(manifestText('id', 7, shared.desired)).toBe(manifestText('id', 7, whole.desired));
    }),
  );
});

test('what the device computes from the text is the content that was computed here, whatever the generation', () => {
  fc.assert(
    fc.property(files, fc.integer({ min: 1, max: 1_000_000 }), (all, generation) => {
      const outcome = compose({ one: all }, rows);
      if (!outcome.ok) throw new Error(outcome.problem.message);
      const manifest = Manifest.parse(JSON.parse(manifestText('id', generation, outcome.desired)));
      expect(contentDigest(manifest)).toBe(outcome.desired.content);
      expect(new Set(outcome.desired.texts.map(({ sha256 }) => sha256))).toEqual(
        new Set(manifest.files.map(({ blob }) => blob)),
      );
    }),
  );
});

test('content changes with a file, a path, and the value of a secret that is used', () => {
  const tagged = (tag: string) => [variable('secret', { value: null, sealed: 's', keyId: 'k', tag })];
  const contents = [
    contentOf({ one: { '/etc/a': 'x' } }),
    contentOf({ one: { '/etc/a': 'y' } }),
    contentOf({ one: { '/etc/b': 'x' } }),
    contentOf({ one: { '/etc/a': '{{ secret }}' } }, tagged('1')),
    contentOf({ one: { '/etc/a': '{{ secret }}' } }, tagged('2')),
  ];
  expect(new Set(contents).size).toBe(contents.length);
  expect(contentOf({ one: { '/etc/a': 'x' } }, tagged('1'))).toBe(contents[0]);
});

test('two bundles with the same path are a conflict that names both', () => {
  const outcome = compose({ one: { '/etc/a': 'x' }, two: { '/etc/a': 'x' } });
  expect(outcome).toMatchObject({
    ok: false,
    problem: { conflicts: [expect.stringMatching(/\/etc\/a.*one and two/)] },
  });
});

const value = fc.constantFrom('1', '2', '"x"');
const place = fc.constantFrom(
  { scope: 'organization' as const, key: '' },
  { scope: 'label' as const, key: 'site=a' },
  { scope: 'label' as const, key: 'tier=b' },
  { scope: 'label' as const, key: 'site=other' },
  { scope: 'device' as const, key: 'id' },
  { scope: 'device' as const, key: 'other' },
);

test('a device’s value goes before a label group’s, that before the organization’s; groups that differ are a conflict', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(place, value), { selector: ([{ key }]) => key, maxLength: 6 }),
      (given) => {
        const set = new VariableSet(given.map(([where, text]) => variable('v', { ...where, value: text })));
        const { values, conflicts } = set.for(device);
        const of = (...keys: string[]) =>
          given.filter(([{ key }]) => keys.includes(key)).map(([, text]) => text);
        const [own] = of('id');
        const groups = of('site=a', 'tier=b');
        const expected = own ?? groups.at(-1) ?? of('')[0];
        const differs = own === undefined && new Set(groups).size > 1;
        expect(conflicts.length).toBe(differs ? 1 : 0);
        if (!differs)
          expect(values.get('v')).toEqual(expected === undefined ? undefined : JSON.parse(expected));
      },
    ),
  );
});
