import { execFileSync } from 'node:child_process';

/** Makes a key and a self-signed certificate for this name, as PEM files. */
export function makeCertificate(
	files: { readonly key: string; readonly certificate: string },
	name: string,
): void {
	const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
	const of = ['-subj', `/CN=${name}`, '-keyout', files.key, '-out', files.certificate];
	execFileSync('openssl', ['req', '-x509', ...kind, ...of], { stdio: 'ignore' });
}
