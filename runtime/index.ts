/** The door of the embedded OCI runtime. */
export type * from './oci/spec.ts';
export type * from './types.ts';
/** For the network hook: its plan and result are a NET_APPLY and a NET_APPLIED payload in a file. */
export { decodeBody, encodeBody } from './shim/codec.ts';
export { CONSTANTS } from './shim/schema.ts';
