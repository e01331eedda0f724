/** Where a request comes from, for limits and the audit log. */
export interface Origin {
  ipAddress: string;
  requestId: string | null;
}
