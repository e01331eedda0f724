import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { secretMarker } from '../../shared/manifest.ts';
import { systemRandom } from '../../shared/node/system-clock.ts';
import { RenderError, type RenderScope, TemplateRenderer } from './render.ts';
import { sha256Of } from './sha256.ts';

const renderer = new TemplateRenderer(systemRandom);

const scope = (
  variables: Record<string, unknown> = {},
  { secrets = [], facts = {} }: { secrets?: string[]; facts?: Record<string, unknown> } = {},
): RenderScope => ({
  device: { name: 'fw-1', labels: { site: 'berlin' }, facts },
  variables: new Map(Object.entries(variables)),
  secrets: new Set(secrets),
});

const render = (text: string, given: RenderScope = scope(), by = renderer) =>
  by.render({ sha256: sha256Of(text), text }, given);

function refusal(act: () => unknown): RenderError {
  try {
    act();
  } catch (error) {
    if (error instanceof RenderError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('a template', () => {
  test('sees variables and the device', () => {
    const given = scope({ mtu: 1500, peers: [{ name: 'a' }, { name: 'b' }] }, { facts: { os: { id: 'x' } } });
    const text =
      '{{ device.name }} {{ device.labels.site }} {{ device.facts.os.id }} {{ mtu }}{% for p in peers %} {{ p.name }}{% endfor %}';
    expect(render(text, given)).toEqual({ text: 'fw-1 berlin x 1500 a b', secrets: [] });
  });

  test('names everything that is undefined at once, each once', () => {
    const text = '{{ b }}{% if a %}{% endif %}{{ b }}{{ device.labels.tier }}{% for x in list %}{% endfor %}';
    expect(refusal(() => render(text)).undefinedVariables).toEqual(['a', 'b', 'device.labels.tier', 'list']);
  });

  test.each([
    '{% include "x" %}',
    '{% render "/etc/passwd" %}',
    '{% layout "x" %}',
    '{% block a %}{% endblock %}',
    '{{ "now" | date: "%s" }}',
    '{{ "1,2" | split: "," | sample }}',
    '{{ x | unknown_filter }}',
    '{% if %}',
    '{{ unclosed',
    'nul \0',
    'half a character \ud800',
  ])('is refused when it is %j', (text) => {
    expect(refusal(() => renderer.check(text)).message).not.toBe('');
  });

  test.each([
    '{% for i in (1..1000000000) %}{% endfor %}',
    '{% for i in (1..5000) %}{% for j in (1..5000) %}{{ j }}{% endfor %}{% endfor %}',
    '{% assign a = "x" %}{% for i in (1..60) %}{% assign a = a | append: a %}{% endfor %}',
    `{% capture a %}${'x'.repeat(1000)}{% endcapture %}{% for i in (1..13) %}{% capture a %}{{ a }}{{ a }}{% endcapture %}{% endfor %}{{ a }}`,
    '{{ "a%00" | url_decode }}',
  ])('ends within its bounds: %j', (text) => {
    const before = performance.now();
    expect(refusal(() => render(text)).undefinedVariables).toEqual([]);
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  test('sees nothing that is not its own', () => {
    for (const path of [
      'constructor',
      'device.constructor',
      'device.toString',
      '__proto__',
      'device.labels.__proto__',
    ])
      expect(refusal(() => render(`{{ ${path} }}`)).undefinedVariables).toEqual([path]);
  });

  test('leaves nothing for the next one', () => {
    const given = scope({ n: 5 });
    expect(render('{% increment n %}{% assign x = 1 %}', given).text).toBe('5');
    expect(render('{% increment n %}', given).text).toBe('5');
    expect(refusal(() => render('{{ x }}', given)).undefinedVariables).toEqual(['x']);
  });
});

describe('a secret', () => {
  const given = scope({ list: ['a'], text: 'a' }, { secrets: ['psk', 'other'] });

  test('renders to its marker', () => {
    expect(render('key={{ psk }};{{ psk | append: "!" | prepend: text }}', given)).toEqual({
      text: `key=${secretMarker('psk')};a${secretMarker('psk')}!`,
      secrets: ['psk'],
    });
  });

  test.each([
    '{% assign x = psk %}{{ x }}',
    '{% capture x %} {{ psk }}\n{% endcapture %}{{ x | strip }}',
    '{{ list | push: psk | last }}',
    '{{ nothing_of | default: psk }}'.replace('nothing_of', 'list[5]').replace('list[5]', '""'),
    '{% if psk %}{{ psk }}{% endif %}',
  ])('goes where it is put: %s', (text) => {
    expect(render(text, given)).toEqual({ text: secretMarker('psk'), secrets: ['psk'] });
  });

  test.each([
    '{{ psk | upcase }}',
    '{{ psk | size }}',
    '{{ psk.size }}',
    '{{ psk[0] }}',
    '{{ psk.first }}',
    '{{ psk | slice: 0, 4 }}',
    '{{ psk | truncate: 20 }}',
    '{{ psk | base64_encode }}',
    '{{ psk | sha256 }}',
    '{{ psk | json }}',
    '{{ psk | escape }}',
    '{{ psk | url_encode }}',
    '{{ psk | split: "" | join: "-" }}',
    '{{ psk | replace: "psk", "other" }}',
    '{{ text | replace: psk, "" }}',
    '{% capture x %}{{ psk }}{% endcapture %}{{ x | upcase }}',
    '{% if psk == "x" %}{% endif %}',
    '{% if text contains psk %}{% endif %}',
    '{% case psk %}{% when "a" %}{% endcase %}',
    '{{ psk | append: other | remove: "muster" }}',
  ])('cannot be looked into: %s', (text) => {
    expect(refusal(() => render(text, given)).message).toMatch(/secret/);
  });

  test('comes from its variable only: a marker of somebody else is refused', () => {
    const facts = { hostname: secretMarker('psk') };
    for (const text of [secretMarker('psk'), '{{ device.facts.hostname }}', '<<MUSTER:SECRET:psk>>'])
      expect(refusal(() => render(text, scope({}, { secrets: ['psk'], facts }))).message).toMatch(/marker/);
  });

  test('shows in no error', () => {
    const { message } = refusal(() => render('{{ psk | upcase }}', given));
    expect(message).toContain('psk');
    expect(message).not.toMatch(/<<|[\ue000-\uf8ff]/);
  });
});

const json = fc.jsonValue({ maxDepth: 3 });
const name = fc.stringMatching(/^[a-z][a-z_]{0,6}$/);
const piece = fc.oneof(
  fc.string(),
  name.map((variable) => `{{ ${variable} }}`),
  name.map((variable) => `{% for x in ${variable} %}{{ x }},{% endfor %}`),
  fc
    .tuple(name, fc.constantFrom('upcase', 'json', 'size', 'join: "-"', 'sort', 'reverse', 'default: 1'))
    .map(([variable, filter]) => `{{ ${variable} | ${filter} }}`),
);

const outcome = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof RenderError)) throw error;
    return [error.message, error.undefinedVariables];
  }
};

test('the same template and scope give the same text or the same refusal, whoever renders and whatever was rendered before', () => {
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 8 }),
      fc.dictionary(name, json),
      fc.array(name, { maxLength: 3 }),
      (pieces, variables, secrets) => {
        const text = pieces.join(' ');
        const given = scope(variables, { secrets });
        const first = outcome(() => render(text, given));
        expect(outcome(() => render(text, given))).toEqual(first);
        expect(outcome(() => render(text, given, new TemplateRenderer(systemRandom)))).toEqual(first);
      },
    ),
    { numRuns: 300 },
  );
});

test('variables come out of a rendering as they went in', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), fc.dictionary(name, json), (pieces, variables) => {
      const before = JSON.stringify(variables);
      outcome(() => render(pieces.join(' '), scope(variables)));
      expect(JSON.stringify(variables)).toBe(before);
    }),
  );
});
