/** Builds the two images of hack/demo and pushes them: node hack/demo-images.ts 127.0.0.1:PORT */
import { busyboxLayer, fileLayer } from './images/busybox.ts';
import { pushImage } from './images/push.ts';

const PAGE = '<!doctype html>\n<title>Gantry</title>\n<p>Hello from a pod.</p>\n';
const SERVE = 'trap "exit 0" TERM; httpd -f -p 8080 -h /www & wait';

const [registry] = process.argv.slice(2);
if (registry === undefined) throw new Error('usage: demo-images.ts HOST:PORT');

const base = busyboxLayer();
const page = fileLayer({ 'www/index.html': PAGE, 'www/data/.keep': '' });
const images = [
	{
		name: 'demo/busybox:1',
		layers: [base],
		config: { Cmd: ['sh'], Env: ['PATH=/bin:/sbin:/usr/bin:/usr/sbin'] },
	},
	{
		name: 'demo/web:1',
		layers: [base, page],
		config: {
			Cmd: ['sh', '-c', SERVE],
			Env: ['PATH=/bin'],
			WorkingDir: '/www',
			ExposedPorts: { '8080/tcp': {} },
		},
	},
];
for (const { name, ...image } of images) {
	const digest = await pushImage(registry, name, image);
	console.log(
		`${registry}/${name}  ${digest.slice(0, 19)}  ${image.layers.length} layer${image.layers.length > 1 ? 's' : ''}`,
	);
}
