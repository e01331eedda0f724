/** Which page of a list. */
export interface Paging {
  page: number;
  per_page: number;
}

/** Path of everything that belongs to an organization. */
export const homeOf = (organization: string): string =>
  `/api/v1/organizations/${encodeURIComponent(organization)}`;
