import { StatusError } from '#base/errors.ts';

/** The configuration is broken, or its folders are not for this program: it must be changed first. */
export class ConfigError extends StatusError {}
