import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TextRule, Unit } from './device-profile.ts';
import { viewOf } from './view-pieces.ts';
import { applyRules, redactOutput } from './view-rules.ts';

const token = (value: string): string =>
  `<secret:${[...value]
    .reduce((sum, one) => (sum * 31 + one.charCodeAt(0)) >>> 0, 7)
    .toString(16)
    .padStart(8, '0')}>`;
const rules = (...list: Partial<TextRule>[]): TextRule[] =>
  list.map((rule, index) => TextRule.parse({ id: `r${index}`, replace: 'token', match: 'x', ...rule }));
const unit = (parts: object = {}) =>
  Unit.parse({ name: 'u', summary: 'x', paths: [{ glob: '/x' }], ...parts });
const shown = (text: string, parts: object = {}): string => {
  const view = viewOf(text, unit(parts), token);
  return 'text' in view ? view.text : 'withheld';
};

describe('rules', () => {
  test('hide the named group, else the first, else everything, at every place of a line', () => {
    const text = 'a=1 a=2 b=3\nnothing';
    expect(applyRules(text, rules({ match: '\\ba=(\\d)' }), () => '*')).toBe('a=* a=* b=3\nnothing');
    expect(applyRules(text, rules({ match: '(a|b)=(?<secret>\\d)' }), () => '*')).toBe(
      'a=* a=* b=*\nnothing',
    );
    expect(applyRules(text, rules({ match: 'b=\\d' }), () => '*')).toBe('a=1 a=2 *\nnothing');
  });

  test('drop lines, mask, and run in their order', () => {
    const list = rules(
      { match: '^# ', replace: 'drop_line' },
      { match: 'key (\\S+)', replace: 'mask' },
      { match: '<secret>', replace: 'drop_line' },
    );
    expect(applyRules('# note\nkey one\nlast', list, token)).toBe('last');
  });

  test('the same value has the same token, another value another one', () => {
    const list = rules({ match: 'key (\\S+)' });
    const [first, second, third] = applyRules('key one\nkey one\nkey two', list, token).split('\n');
    expect(first).toBe(second);
    expect(third).not.toBe(first);
    expect(first).toMatch(/^key <secret:[0-9a-f]{8}>$/);
  });

  test('what is hidden already is not hidden again', () => {
    const list = rules({ match: 'key (\\S+)' }, { match: '(?<secret>\\S+)$' });
    expect(applyRules('key one', list, token)).toBe(`key ${token('one')}`);
  });

  test('a line that is too long to be searched is not shown', () => {
    expect(applyRules(`key ${'a'.repeat(70_000)}`, rules({ match: 'never' }), token)).toBe(
      '<secret> (a line of 70004 characters)',
    );
  });
});

describe('secrets that no rule names', () => {
  const pem = (what: string): string =>
    `-----BEGIN ${what}-----\nc2VjcmV0LWNhbmFyeQ==\n-----END ${what}-----`;

  test.each([
    ['a private key', `a\n${pem('PRIVATE KEY')}\nb`],
    ['a private key without its end', `a\n${pem('RSA PRIVATE KEY').slice(0, -4)}`],
    ['a private key in base64', `<prv>${Buffer.from(pem('PRIVATE KEY')).toString('base64')}</prv>`],
    ['a password in a URL', 'url https://admin:c2VjcmV0LWNhbmFyeQ@backup.example/x'],
    ['a password in a URL without a user', 'redis://:c2VjcmV0LWNhbmFyeQ@10.0.0.1'],
    ['a key of age', 'AGE-SECRET-KEY-1C2VJCMV0LWNHBMFYEQC2VJCMV0'],
    ['an assignment', 'db_password = c2VjcmV0LWNhbmFyeQ'],
    ['a value with spaces', 'passphrase: c2VjcmV0LWNhbmFyeQ and more words'],
    ['a value with quotes within', 'secret "c2VjcmV0"LWNhbmFyeQ"'],
    ['XML', '<radius_secret type="x">c2VjcmV0LWNhbmFyeQ</radius_secret>'],
    ['JSON', '{"api_key": "c2VjcmV0LWNhbmFyeQ", "b": 1}'],
    ['SNMP', 'rocommunity c2VjcmV0LWNhbmFyeQ 10.0.0.0/8'],
  ])('%s is hidden', (_, text) => {
    const view = shown(text);
    expect(view).toMatch(/<secret:[0-9a-f]{8}>/);
    expect(view.toLowerCase()).not.toContain('c2vjcmv0');
    expect(view).not.toContain('WNhbmFyeQ');
  });

  test('settings that only sound like secrets stay', () => {
    const text =
      'PasswordAuthentication no\nPermitEmptyPasswords no\nuse-token: yes\nPubkeyAuthentication yes\nset community 65000:100';
    expect(shown(text)).toBe(text);
  });

  test('markers of secret variables stay', () => {
    expect(shown('key <<muster:secret:A_LONG_NAME_OF_A_SECRET>>')).toBe(
      'key <<muster:secret:A_LONG_NAME_OF_A_SECRET>>',
    );
  });

  test('a word that looks like a key withholds the whole view, and names the line only', () => {
    const key = 'aMdzEZ2Ze2GQaFsy1HeLRU0sQ4hUpbQ9jxBJT8PGA1Y=';
    const view = viewOf(`first\nodd ${key}\n`, unit(), token);
    expect(view).toEqual({
      withheld: 'line 2 of the view holds what looks like a secret and no rule names it',
    });
    expect(shown(`odd ${key}`, { public: ['^odd \\S+'] })).toBe(`odd ${key}`);
  });

  test('ordinary words, names, paths, addresses and numbers do not', () => {
    const text = [
      'IgnoreUserKnownHosts no # ForwardX11Trusted',
      'table inet filter { chain input-from-the-inside-2024 { } }',
      'include "/etc/unbound/unbound.conf.d/root-auto-trust-anchor-file.conf"',
      'ip6 saddr 2001:db8:85a3:8d3:1319:8a2e:370:7348 counter',
      'Ciphers TLS_AES_256_GCM_SHA384 DHE-RSA-AES256-GCM-SHA384',
      'serial 20260131123456789012',
      'neighbor UPSTREAM_TRANSIT_PROVIDERS route-map ANNOUNCE_TO_CUSTOMERS out',
    ].join('\n');
    expect(shown(text)).toBe(text);
  });

  test.each(['base64', 'base64url', 'hex'] as const)('nearly no key of 24 bytes in %s passes', (encoding) => {
    const bytes = fc.uint8Array({ minLength: 24, maxLength: 48 });
    const keys = fc.sample(bytes, { numRuns: 2000, seed: 1 }).filter((one) => new Set(one).size > 16); // random, not all zero
    const passing = keys
      .map((one) => Buffer.from(one).toString(encoding))
      .filter((key) => shown(`option ${key}`).includes(key));
    expect(keys.length).toBeGreaterThan(500);
    expect(passing.length / keys.length).toBeLessThan(0.002);
  });
});

describe('volatile', () => {
  test('what changes by itself is cut, and not taken for a secret', () => {
    const volatile = rules(
      { match: 'packets (\\d+)', replace: 'mask' },
      { match: '^built ', replace: 'drop_line' },
    );
    expect(shown('built 1\npackets 17\nrest', { volatile })).toBe('packets <volatile>\nrest');
  });
});

describe('output of commands', () => {
  test('suspicious lines are hidden one by one', () => {
    const text = 'one\nkey aMdzEZ2Ze2GQaFsy1HeLRU0sQ4hUpbQ9jxBJT8PGA1Y=\nthree\npassword hello';
    expect(redactOutput(text, unit())).toBe(
      'one\n<secret> (a line that looks like one)\nthree\npassword <secret>',
    );
  });
});
