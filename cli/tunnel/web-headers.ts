import type { IncomingHttpHeaders } from 'node:http';

/** Meant for one hop only (RFC 9110 section 7.6.1). */
const hopByHop = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** Where the browser is, and what the device believes it is. */
export interface Addresses {
  /** As the browser sees it: `http://edge-1.localhost:41234`. */
  local: string;
  /** As the device sees itself: `https://127.0.0.1`. */
  upstream: string;
}

/** A browser's request as the device's web server expects it: its own name in Host, Origin and Referer. */
export function requestHeaders(
  headers: IncomingHttpHeaders,
  { local, upstream }: Addresses,
): Record<string, string | string[]> {
  const kept = withoutHops(headers);
  kept['host'] = new URL(upstream).host;
  const { origin, referer } = headers;
  if (origin === new URL(local).origin) kept['origin'] = new URL(upstream).origin;
  if (referer !== undefined) kept['referer'] = moved(referer, local, upstream);
  return kept;
}

/** The device's answer as the browser needs it: redirects stay here, cookies are this host's only. */
export function responseHeaders(
  headers: IncomingHttpHeaders,
  { local, upstream }: Addresses,
): Record<string, string | string[]> {
  const kept = withoutHops(headers);
  const { location } = headers;
  if (location !== undefined) kept['location'] = moved(location, upstream, local);
  const cookies = headers['set-cookie'];
  if (cookies) kept['set-cookie'] = cookies.map(cookieForHere);
  // It speaks of a certificate and a name that the browser does not see.
  delete kept['strict-transport-security'];
  return kept;
}

/** `Domain` and `Secure` would keep the cookie from ever coming back; the name of the device keeps cookies of devices apart. */
export const cookieForHere = (cookie: string): string =>
  cookie
    .split(';')
    .filter((part) => !/^\s*(domain\s*=|secure\s*$)/i.test(part))
    .map((part) => part.replace(/^(\s*samesite\s*=\s*)none\s*$/i, '$1Lax'))
    .join(';');

function moved(url: string, from: string, to: string): string {
  try {
    const parsed = new URL(url, from);
    return parsed.origin === new URL(from).origin && /^[a-z]+:/i.test(url)
      ? `${to}${parsed.pathname}${parsed.search}${parsed.hash}`
      : url;
  } catch {
    return url;
  }
}

function withoutHops(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  return Object.fromEntries(
    Object.entries(headers).filter(
      (entry): entry is [string, string | string[]] =>
        entry[1] !== undefined && !hopByHop.includes(entry[0]) && !named.includes(entry[0]),
    ),
  );
}
