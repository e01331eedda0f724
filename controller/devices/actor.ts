/** Who changes something, for the audit log: a person by e-mail, `controller`, or `device NAME`. */
export interface Actor {
  name: string;
  organizationId: string;
  ipAddress: string | null;
  requestId: string | null;
}

/** The organization that `init` makes. Its admins may make others. */
export const homeOrganization = 'default';

/** The controller itself, acting for an organization. */
export const controllerActor = (organizationId: string): Actor => ({
  name: 'controller',
  organizationId,
  ipAddress: null,
  requestId: null,
});
