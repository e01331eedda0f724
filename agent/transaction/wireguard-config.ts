import { parseAddress, parsePrefix } from './built-in-checks-network.ts';

export interface WireguardConfig {
  /** Each setting of `[Interface]` with its values; names in small letters. */
  interface: Map<string, string[]>;
  peers: Map<string, string[]>[];
}

/** Reads a configuration of wg-quick(8); a text says why it cannot be read, with its line. Values are never part of it. */
export function parseWireguard(text: string): WireguardConfig | string {
  const config: WireguardConfig = { interface: new Map(), peers: [] };
  let section: { name: 'interface' | 'peer'; settings: Map<string, string[]> } | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/#.*/, '').trim();
    if (line === '') continue;
    const at = `line ${index + 1}`;
    const header = /^\[(\w+)\]$/.exec(line)?.[1]?.toLowerCase();
    if (header === 'interface') section = { name: 'interface', settings: config.interface };
    else if (header === 'peer') {
      section = { name: 'peer', settings: new Map() };
      config.peers.push(section.settings);
    } else if (line.startsWith('[')) return `${at}: expected [Interface] or [Peer]`;
    else {
      const [, name = '', value = ''] = /^(\w+)\s*=\s*(.*)$/.exec(line) ?? [];
      const key = name.toLowerCase();
      if (section === undefined) return `${at}: expected [Interface] or [Peer] before it`;
      const problem = settingProblem(section.name, key, value);
      if (problem !== undefined) return `${at}: ${name || 'a line without ='}: ${problem}`;
      section.settings.set(key, [...(section.settings.get(key) ?? []), ...valuesOf(key, value)]);
    }
  }
  return missing(config) ?? config;
}

const lists = new Set(['address', 'allowedips', 'dns']);
const valuesOf = (key: string, value: string): string[] =>
  lists.has(key) ? value.split(',').map((one) => one.trim()) : [value];

function missing({ interface: own, peers }: WireguardConfig): string | undefined {
  if (!own.has('privatekey')) return '[Interface] has no PrivateKey';
  return peers.every((peer) => peer.has('publickey')) ? undefined : 'a [Peer] has no PublicKey';
}

type Rule = (value: string) => string | undefined;

const key: Rule = (value) => {
  const bytes = Buffer.from(value, 'base64');
  return bytes.length === 32 && bytes.toString('base64') === value
    ? undefined
    : 'expected a key of 32 bytes in base64';
};
const number =
  (most: number, word: string): Rule =>
  (value) =>
    value === word || (/^(0x[0-9a-f]+|\d+)$/i.test(value) && Number(value) <= most)
      ? undefined
      : `expected a number up to ${most} or ${word}`;
const prefixes: Rule = (value) => {
  const bad =
    value === '' ? undefined : value.split(',').find((one) => parsePrefix(one.trim()) === undefined);
  return bad === undefined ? undefined : `${bad.trim()} is no address with a prefix length`;
};
const endpoint: Rule = (value) => {
  const [, host = '', port = ''] = /^(\[[^\]]+\]|[^:\s]+):(\d{1,5})$/.exec(value) ?? [];
  if (Number(port) < 1 || Number(port) > 65_535) return 'expected HOST:PORT';
  const bare = host.replace(/^\[|\]$/g, '');
  const isNumbers = /^[\d.]+$/.test(bare) || host.startsWith('[');
  return !isNumbers || parseAddress(bare) ? undefined : `${bare} is no address`;
};
const anything: Rule = (value) => (value === '' ? 'expected a value' : undefined);

const rules: Record<'interface' | 'peer', Record<string, Rule>> = {
  interface: {
    privatekey: key,
    listenport: number(65_535, '0'),
    fwmark: number(0xffffffff, 'off'),
    address: prefixes,
    dns: anything,
    mtu: number(65_535, '0'),
    table: anything,
    preup: anything,
    postup: anything,
    predown: anything,
    postdown: anything,
    saveconfig: anything,
  },
  peer: {
    publickey: key,
    presharedkey: key,
    allowedips: prefixes,
    endpoint,
    persistentkeepalive: number(65_535, 'off'),
  },
};

function settingProblem(section: 'interface' | 'peer', name: string, value: string): string | undefined {
  const rule = rules[section][name];
  return rule === undefined ? `not known in [${section === 'peer' ? 'Peer' : 'Interface'}]` : rule(value);
}
