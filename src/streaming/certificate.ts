import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type Server } from 'node:tls';
import { failedPrecondition, messageOf } from '#base/errors.ts';
import type { Log } from '#base/log.ts';

export interface CertificateFiles {
	/** PEM, with the chain. */
	readonly certificate: string;
	readonly key: string;
}

interface Loaded {
	readonly cert: Buffer;
	readonly key: Buffer;
}

/** The TLS certificate of a server, read again when its files change. */
export class Certificate {
	readonly #files: CertificateFiles;
	readonly #log: Log;
	#seen = '';

	constructor(files: CertificateFiles, log: Log) {
		this.#files = files;
		this.#log = log;
	}

	/** FAILED_PRECONDITION naming file and option when one cannot be read, is no PEM, or they are no pair. */
	async load(): Promise<Loaded> {
		const seen = await this.#look();
		const [cert, key] = await Promise.all([
			readOwn(this.#files.certificate, 'streaming.tls_certificate'),
			readOwn(this.#files.key, 'streaming.tls_key'),
		]);
		this.#seen = seen;
		try {
			createSecureContext({ cert, key });
		} catch (error) {
			const { certificate, key: keyFile } = this.#files;
			throw failedPrecondition(
				`Cannot use ${certificate} (streaming.tls_certificate) with ${keyFile} (streaming.tls_key): ${messageOf(error)}`,
				{ cause: error },
			);
		}
		return { cert, key };
	}

	/**
	 * Gives a server what the files say now, if they have changed. One half of a new pair alone does not fit: until
	 * both are there the server keeps what it has.
	 */
	async refresh(server: Pick<Server, 'setSecureContext'>): Promise<void> {
		if ((await this.#look()) === this.#seen) return;
		try {
			server.setSecureContext(await this.load());
			this.#log.info('Took over the new certificate of the streaming server', { ...this.#files });
		} catch (error) {
			this.#log.warn(
				'The certificate of the streaming server has changed and cannot be used; the old one stays',
				{
					...this.#files,
					error: messageOf(error),
				},
			);
		}
	}

	/** What tells that a file is another one: also when a link to its folder was turned, as for a Kubernetes Secret. */
	async #look(): Promise<string> {
		const files = [this.#files.certificate, this.#files.key];
		const stats = await Promise.all(files.map((path) => stat(path, { bigint: true }).catch(() => undefined)));
		return stats.map((one) => `${one?.dev} ${one?.ino} ${one?.size} ${one?.mtimeNs}`).join(' ');
	}
}

async function readOwn(path: string, option: string): Promise<Buffer> {
	try {
		return await readFile(path);
	} catch (error) {
		throw failedPrecondition(`Cannot read ${path} (${option}): ${messageOf(error)}`, { cause: error });
	}
}
