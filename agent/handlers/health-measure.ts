import type { Clock } from '../../shared/clock.ts';
import type { HealthCheckItem, HealthVerdict } from '../../shared/task-types/health-check.ts';
import { unreachable } from '../../shared/unreachable.ts';
import type { System } from '../system/system.ts';

export type Judgement = Pick<HealthVerdict, 'verdict' | 'message' | 'measured'>;
type Check<Name extends HealthCheckItem['check']> = Extract<HealthCheckItem, { check: Name }>;

/** The check with what it is about: `disk /`, `tcp 10.0.0.1:53`. */
export function checkName(check: HealthCheckItem): string {
  switch (check.check) {
    case 'disk':
      return `disk ${check.path}`;
    case 'memory':
    case 'load':
      return check.check;
    case 'service':
      return `service ${check.unit}`;
    case 'tcp':
    case 'certificate':
      return `${check.check} ${hostPort(check.host, check.port)}`;
    case 'http':
      return `http ${check.url}`;
    case 'dns':
      return check.server === undefined ? `dns ${check.name}` : `dns ${check.name} at ${check.server}`;
    case 'ntp':
      return `ntp ${hostPort(check.server, check.port)}`;
    default:
      return unreachable(check);
  }
}

/** Measures one check and compares. Rejects with a sentence when it cannot be measured. */
export async function measure(
  check: HealthCheckItem,
  { probes, services }: System,
  clock: Clock,
  signal: AbortSignal,
): Promise<Judgement> {
  switch (check.check) {
    case 'disk':
      return judgeDisk(check, await probes.disk(check.path));
    case 'memory':
      return judgeMemory(check, await probes.memory());
    case 'load':
      return judgeLoad(check, await probes.load());
    case 'service':
      return judgeService(check, await services.show(check.unit));
    case 'tcp': {
      const { connectMs } = await probes.tcp(check, signal);
      return verdict('pass', `connected in ${tenths(connectMs)} ms`, { connect_ms: tenths(connectMs) });
    }
    case 'http':
      return judgeHttp(check, await probes.http(check.url, signal));
    case 'certificate': {
      const target = { host: check.host, port: check.port };
      const named = check.server_name === undefined ? target : { ...target, serverName: check.server_name };
      return judgeCertificate(check, await probes.certificate(named, signal), clock.now());
    }
    case 'dns': {
      const query =
        check.server === undefined ? { name: check.name } : { name: check.name, server: check.server };
      return judgeDns(check, await probes.dns(query, signal));
    }
    case 'ntp':
      return judgeNtp(check, await probes.ntp({ host: check.server, port: check.port }, signal));
    default:
      return unreachable(check);
  }
}

type Measured<Probe extends keyof System['probes']> = Awaited<ReturnType<System['probes'][Probe]>>;

function judgeDisk(check: Check<'disk'>, { usedPercent, availableBytes }: Measured<'disk'>): Judgement {
  return verdict(
    above(usedPercent, check.warn_percent, check.fail_percent),
    `${tenths(usedPercent)} % used, ${mebibytes(availableBytes)} MiB available`,
    { used_percent: tenths(usedPercent), available_bytes: availableBytes },
  );
}

function judgeMemory(check: Check<'memory'>, memory: Measured<'memory'>): Judgement {
  const { usedPercent, availableBytes, totalBytes } = memory;
  return verdict(
    above(usedPercent, check.warn_percent, check.fail_percent),
    `${tenths(usedPercent)} % used, ${mebibytes(availableBytes)} of ${mebibytes(totalBytes)} MiB available`,
    { used_percent: tenths(usedPercent), available_bytes: availableBytes },
  );
}

/** Judged by the five-minute average: one minute is too nervous for an alarm. */
function judgeLoad(check: Check<'load'>, { load1, load5, load15, cpus }: Measured<'load'>): Judgement {
  return verdict(
    above(load5 / cpus, check.warn_per_cpu, check.fail_per_cpu),
    `load ${load1} ${load5} ${load15} on ${cpus} processors`,
    { load1, load5, load15, cpus, load5_per_cpu: Math.round((load5 / cpus) * 100) / 100 },
  );
}

function judgeService(
  check: Check<'service'>,
  { known, active, state, subState }: Awaited<ReturnType<System['services']['show']>>,
): Judgement {
  const measured = { known, active, state, sub_state: subState };
  if (!known) return verdict('fail', `the machine has no unit ${check.unit}`, measured);
  return verdict(active ? 'pass' : 'fail', `${state} (${subState})`, measured);
}

/** Without `expect_status`, anything below 400 passes; redirects are not followed. */
function judgeHttp(check: Check<'http'>, { status, durationMs }: Measured<'http'>): Judgement {
  const expected = check.expect_status;
  const good = expected === undefined ? status < 400 : status === expected;
  return verdict(
    good ? 'pass' : 'fail',
    `status ${status} in ${tenths(durationMs)} ms${good ? '' : `, expected ${expected ?? 'less than 400'}`}`,
    { status, duration_ms: tenths(durationMs) },
  );
}

/** An untrusted certificate is a warning at least: appliances often sign their own, and `measured.trusted` tells. */
function judgeCertificate(
  check: Check<'certificate'>,
  { expiresAt, subject, issuer, trusted }: Measured<'certificate'>,
  now: number,
): Judgement {
  const days = (expiresAt - now) / 86_400_000;
  const expiry = below(days, check.warn_days, check.fail_days);
  const when = days < 0 ? `expired ${tenths(-days)} days ago` : `expires in ${tenths(days)} days`;
  return verdict(
    expiry === 'pass' && !trusted ? 'warn' : expiry,
    `${when}, ${trusted ? 'trusted' : 'not trusted by this machine'}`,
    { days_left: tenths(days), expires_at: new Date(expiresAt).toISOString(), subject, issuer, trusted },
  );
}

function judgeDns(check: Check<'dns'>, { addresses, durationMs }: Measured<'dns'>): Judgement {
  const wanted = check.expect_address;
  const good = wanted === undefined || addresses.includes(wanted);
  const answer = addresses.join(', ');
  return verdict(
    good ? 'pass' : 'fail',
    good ? `${answer} in ${tenths(durationMs)} ms` : `answered ${answer}, expected ${wanted}`,
    { addresses: answer, duration_ms: tenths(durationMs) },
  );
}

function judgeNtp(check: Check<'ntp'>, { offsetMs, roundTripMs, stratum }: Measured<'ntp'>): Judgement {
  const side = offsetMs >= 0 ? 'behind' : 'ahead';
  return verdict(
    above(Math.abs(offsetMs), check.warn_offset_ms, check.fail_offset_ms),
    `the clock is ${tenths(Math.abs(offsetMs))} ms ${side} (stratum ${stratum}, round trip ${tenths(roundTripMs)} ms)`,
    { offset_ms: tenths(offsetMs), round_trip_ms: tenths(roundTripMs), stratum },
  );
}

const verdict = (
  value: Judgement['verdict'],
  message: string,
  measured: Judgement['measured'],
): Judgement => ({ verdict: value, message, measured });

const above = (value: number, warn: number, fail: number): Judgement['verdict'] =>
  value >= fail ? 'fail' : value >= warn ? 'warn' : 'pass';

const below = (value: number, warn: number, fail: number): Judgement['verdict'] =>
  value <= fail ? 'fail' : value <= warn ? 'warn' : 'pass';

const tenths = (value: number): number => Math.round(value * 10) / 10;
const mebibytes = (bytes: number): number => Math.round(bytes / 1_048_576);
const hostPort = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
