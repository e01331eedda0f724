import type { Generated } from 'kysely';

type Flag = 0 | 1;

/** Tables as kysely sees them. Times are epoch milliseconds; `…Json` in a comment marks JSON text. */
export interface Schema {
  settings: { name: string; value: string };
  organizations: {
    id: string;
    name: string;
    display_name: string;
    created_at: number;
    closed_at: number | null;
  };
  accounts: {
    id: string;
    organization_id: string;
    email: string;
    name: string;
    role: 'viewer' | 'operator' | 'admin';
    created_at: number;
    disabled_at: number | null;
    last_login_at: number | null;
    updated_at: number | null;
  };
  logins: { email: string; password_hash: string; changed_at: number };
  login_sessions: {
    id: string;
    account_id: string;
    refresh_hash: string;
    created_at: number;
    refreshed_at: number;
    expires_at: number;
    ended_at: number | null;
  };
  identities: { issuer: string; subject: string; email: string; linked_at: number; used_at: number };
  login_codes: {
    hash: string;
    email: string;
    organization: string | null;
    challenge: string;
    expires_at: number;
  };
  access_tokens: {
    id: string;
    account_id: string;
    organization_id: string;
    name: string;
    prefix: string;
    hash: string;
    scope: 'RW' | 'RO';
    created_at: number;
    expires_at: number | null;
    revoked_at: number | null;
    last_used_at: number | null;
  };
  enrolment_tokens: {
    id: string;
    organization_id: string;
    name: string;
    prefix: string;
    hash: string;
    uses: number;
    max_uses: number | null;
    auto_approve: Flag;
    /** JSON. */
    labels: string;
    created_at: number;
    expires_at: number | null;
    revoked_at: number | null;
    device_id: string | null;
  };
  idempotent_answers: {
    account_id: string;
    key: string;
    request_digest: string;
    status: number;
    body: string;
    created_at: number;
  };
  devices: {
    id: string;
    organization_id: string;
    name: string;
    status: 'PENDING' | 'ENABLED' | 'DISABLED';
    public_key: string;
    /** JSON. */
    labels: string;
    agent_version: string | null;
    /** JSON. */
    task_types: Generated<string>;
    /** JSON. */
    slots: Generated<string>;
    facts_digest: string | null;
    boot_id: string | null;
    instance_id: string | null;
    epoch: Generated<number>;
    connection: Generated<number>;
    store_id: string | null;
    quarantined_at: number | null;
    quarantine_reason: string | null;
    next_public_key: string | null;
    key_wanted_at: number | null;
    key_revoked_at: number | null;
    last_seen_at: number | null;
    created_at: number;
    updated_at: number;
    removed_at: number | null;
  };
  ended_device_keys: {
    public_key: string;
    device_id: string;
    reason: 'rotated' | 'rebound' | 'revoked' | 'removed';
    ended_at: number;
  };
  /** Apart from `devices`, whose rows are rewritten at every sign of life. */
  device_facts: { device_id: string; facts: string };
  device_stores: { device_id: string; store_id: string; applied_seq: number; superseded_at: number | null };
  runs: {
    seq: Generated<number>;
    id: string;
    organization_id: string;
    type: string;
    trigger: string;
    parameters: string;
    /** JSON. */
    rollout: string | null;
    rollout_open: Flag;
    total: number;
    /** JSON. */
    skipped: string;
    created_by: string;
    created_at: number;
    scheduled_at: number | null;
    stopped_at: number | null;
    stopped_reason: string | null;
    schedule_id: string | null;
    schedule: string | null;
    scheduled_task: string | null;
    retry_of: string | null;
    max_retries: Generated<number>;
    retry_delay_ms: Generated<number>;
    retry_open: Generated<number>;
  };
  tasks: {
    seq: Generated<number>;
    id: string;
    code: string;
    organization_id: string;
    device_id: string;
    run_id: string | null;
    type: string;
    status: string;
    lane: string;
    parameters: string;
    force: Flag;
    created_by: string;
    created_at: number;
    scheduled_at: number | null;
    expires_in_ms: number;
    timeout_ms: number;
    expires_at: number | null;
    retry_of: string | null;
    attempt: Generated<number>;
    progress: number | null;
    message: string | null;
    error_code: string | null;
    error_message: string | null;
    /** JSON. */
    result: string | null;
    /** JSON. */
    late_result: string | null;
    updated_at: number;
    started_at: number | null;
    timeout_at: number | null;
    completed_at: number | null;
    cancel_requested_at: number | null;
    powering_off_at: number | null;
    retry_number: Generated<number>;
    superseded: Generated<number>;
  };
  task_logs: { task_seq: number; line: number; stream: string; at: number; text: string };
  events: {
    cursor: Generated<number>;
    type: string;
    at: number;
    organization_id: string;
    device_id: string | null;
    task_id: string | null;
    run_id: string | null;
    /** JSON. */
    data: string;
  };
  audit: {
    id: Generated<number>;
    at: number;
    organization_id: string | null;
    actor: string;
    action: string;
    target: string;
    /** JSON. */
    detail: string;
    ip_address: string | null;
    request_id: string | null;
  };
}
