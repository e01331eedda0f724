import type { z } from 'zod';
import type { HealthCheckItem } from '../../shared/task-types/health-check.ts';
import { usageError } from '../cli-error.ts';

/** A check as it is sent; what is left out has defaults in the contract. */
export type Check = z.input<typeof HealthCheckItem>;

export const checkForms = [
  'disk[:PATH]',
  'memory',
  'load',
  'service:UNIT',
  'tcp:HOST:PORT',
  'http:URL',
  'certificate:HOST[:PORT]',
  'dns:NAME',
  'ntp:HOST',
] as const;

/** The grammar of `--check`: a kind, a colon, what it is about. IPv6 addresses stand in brackets. */
export function parseCheck(text: string): Check {
  if (/^https?:\/\//.test(text)) return { check: 'http', url: text };
  const [, kind = '', about] = /^([a-z]+)(?::(.*))?$/s.exec(text) ?? [];
  switch (kind) {
    case 'disk':
      return about ? { check: 'disk', path: about } : { check: 'disk' };
    case 'memory':
    case 'load':
      if (about !== undefined) throw wrong(text);
      return { check: kind };
    case 'service':
      return { check: 'service', unit: needed(text, about) };
    case 'tcp': {
      const { host, port } = address(text, about);
      if (port === undefined) throw wrong(text);
      return { check: 'tcp', host, port };
    }
    case 'http':
      return { check: 'http', url: needed(text, about) };
    case 'certificate': {
      const { host, port } = address(text, about);
      return port === undefined ? { check: 'certificate', host } : { check: 'certificate', host, port };
    }
    case 'dns':
      return { check: 'dns', name: needed(text, about) };
    case 'ntp':
      return { check: 'ntp', server: needed(text, about) };
    default:
      throw wrong(text);
  }
}

function needed(text: string, about: string | undefined): string {
  if (about) return about;
  throw wrong(text);
}

function address(text: string, about: string | undefined): { host: string; port: number | undefined } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(about ?? '');
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  if (host === undefined || port === 0 || (port ?? 1) > 65_535) throw wrong(text);
  return { host, port };
}

const wrong = (text: string) =>
  usageError(`--check ${text} is not understood: expected ${checkForms.join(', ')}`);
