/** Which colour and mark a resource gets. */
export function toneOf(resource) {
  switch (resource.state) {
    case 'Running':
      return resource.health === 'Unhealthy' ? 'bad' : resource.health === 'Degraded' ? 'warn' : 'good';
    case 'FailedToStart':
    case 'RuntimeUnhealthy':
      return 'bad';
    case 'Finished':
    case 'Exited':
      return resource.exitCode ? 'bad' : 'idle';
    case 'NotStarted':
      return 'idle';
    default:
      return resource.stateStyle === 'error' ? 'bad' : resource.stateStyle === 'success' ? 'good' : 'busy';
  }
}

export function stateText(resource) {
  const words = resource.state.replace(/([a-z])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`);
  if (resource.state === 'Running' && resource.health && resource.health !== 'Healthy') {
    return `${words}, ${resource.health.toLowerCase()}`;
  }
  return resource.exitCode === null || resource.state === 'Running' ? words : `${words} (${resource.exitCode})`;
}

export function failingReport(resource) {
  const report = resource.state === 'Running' && resource.healthReports.find(r => r.status && r.status !== 'Healthy');
  return report ? `${report.name}: ${report.description || report.error || report.status}` : '';
}
