using System.Runtime.CompilerServices;

namespace Microsoft.Extensions.ServiceDiscovery.Http;

/// <summary>Chooses among a name's endpoints in turn, across all clients of the process.</summary>
internal sealed class RoundRobinEndpoints(ServiceEndpointResolver resolver)
{
    // Lives as long as the resolved set: when configuration changes, the turn starts anew.
    private readonly ConditionalWeakTable<ServiceEndpointSource, StrongBox<uint>> _turns = [];

    public async ValueTask<ServiceEndpoint> NextAsync(string serviceName, CancellationToken cancellationToken)
    {
        var source = await resolver.GetEndpointsAsync(serviceName, cancellationToken).ConfigureAwait(false);
        if (source.Endpoints.Count == 1)
        {
            return source.Endpoints[0];
        }

        var turn = Interlocked.Increment(ref _turns.GetOrCreateValue(source).Value) - 1;
        return source.Endpoints[(int)(turn % (uint)source.Endpoints.Count)];
    }
}
