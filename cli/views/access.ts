import type { AccessToken, AuditEntry, EnrolmentToken, Me } from '../../shared/api/access.ts';
import type { View } from '../output/view.ts';
import { labelText } from './device.ts';

export const meView: View<Me> = {
  noun: 'accounts',
  key: ({ email }) => email,
  columns: [],
  fields: (me) => [
    ['E-mail', me.email],
    ['Name', me.name],
    ['Organization', me.organization],
    ['Role', me.role],
    ['Organizations', organizationsText(me)],
    ['Token', me.token],
  ],
};

export const accessTokenView: View<AccessToken> = {
  noun: 'tokens',
  key: ({ name }) => name,
  columns: [
    { head: 'NAME', value: ({ name }) => name },
    { head: 'PREFIX', value: ({ token_prefix }) => token_prefix },
    { head: 'SCOPE', value: ({ scope }) => scope },
    { head: 'STATE', value: stateOf },
    { head: 'EXPIRES', value: ({ expires_at }, paint) => paint.time(expires_at) || 'never' },
    { head: 'LAST USED', value: ({ last_used_at }, paint) => paint.time(last_used_at) },
  ],
  fields: (token, paint) => [
    ['Name', token.name],
    ['Prefix', token.token_prefix],
    ['Scope', token.scope],
    ['State', stateOf(token)],
    ['Organization', token.organization],
    ['Expires', paint.time(token.expires_at) || 'never'],
    ['Last used', paint.time(token.last_used_at)],
    ['Created', paint.time(token.created_at)],
  ],
};

export const enrolmentTokenView: View<EnrolmentToken> = {
  noun: 'enrolment tokens',
  key: ({ name }) => name,
  columns: [
    { head: 'NAME', value: ({ name }) => name },
    { head: 'PREFIX', value: ({ token_prefix }) => token_prefix },
    { head: 'USES', value: usesOf },
    { head: 'APPROVES', value: ({ auto_approve }) => (auto_approve ? 'yes' : 'no') },
    { head: 'STATE', value: enrolmentState },
    { head: 'EXPIRES', value: ({ expires_at }, paint) => paint.time(expires_at) || 'never' },
    { head: 'LABELS', value: ({ labels }) => labelText(labels) },
  ],
  fields: (token, paint) => [
    ['Name', token.name],
    ['Prefix', token.token_prefix],
    ['Uses', usesOf(token)],
    ['Approves', token.auto_approve ? 'yes' : 'no'],
    ['Labels', labelText(token.labels)],
    ['State', enrolmentState(token)],
    ['Expires', paint.time(token.expires_at) || 'never'],
    ['Created', paint.time(token.created_at)],
  ],
};

export const auditView: View<AuditEntry> = {
  noun: 'audit entries',
  key: ({ id }) => String(id),
  columns: [
    { head: 'AT', value: ({ at }, paint) => paint.time(at) },
    { head: 'ACTOR', value: ({ actor }) => actor },
    { head: 'ACTION', value: ({ action }) => action },
    { head: 'TARGET', value: ({ target }) => target },
    { head: 'DETAIL', value: ({ detail }) => detailText(detail) },
    { head: 'FROM', value: ({ ip_address }) => ip_address },
  ],
  fields: (entry, paint) => [
    ['Id', entry.id],
    ['At', paint.time(entry.at)],
    ['Actor', entry.actor],
    ['Action', entry.action],
    ['Target', entry.target],
    ['Detail', detailText(entry.detail)],
    ['From', entry.ip_address],
    ['Request', entry.request_id],
  ],
};

const organizationsText = ({ organizations }: Me): string =>
  organizations.map(({ name, role }) => `${name} (${role})`).join(', ');

function stateOf(token: { is_revoked: boolean; is_expired: boolean }): string {
  if (token.is_revoked) return 'revoked';
  return token.is_expired ? 'expired' : 'valid';
}

function enrolmentState(token: EnrolmentToken): string {
  const state = stateOf(token);
  return state === 'valid' && token.max_uses !== null && token.uses >= token.max_uses ? 'used up' : state;
}

function usesOf({ uses, max_uses }: EnrolmentToken): string {
  return `${uses} of ${max_uses ?? 'unlimited'}`;
}

function detailText(detail: Record<string, unknown>): string {
  return Object.keys(detail).length === 0 ? '' : JSON.stringify(detail);
}
