/** The door of the embedded OCI runtime. */
export type * from './oci/spec.ts';
export type * from './types.ts';
