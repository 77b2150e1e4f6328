using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Orchestration;

/// <summary>
/// Gives the endpoints of a resource their ports, for the whole run of the host. The only instance of a resource listens on the
/// public port itself, which saves a hop; several share it behind a proxy, and so does one that insists on another target port.
/// </summary>
internal static class EndpointAllocation
{
    public static (IReadOnlyDictionary<string, int>[] TargetPorts, IReadOnlyList<EndpointAnnotation> Shared) Allocate(
        IResource resource,
        int instances,
        bool randomizePorts)
    {
        var targetPorts = Enumerable.Range(0, instances)
            .Select(_ => new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase))
            .ToArray();
        var shared = new List<EndpointAnnotation>();
        foreach (var endpoint in resource.Annotations.OfType<EndpointAnnotation>())
        {
            var port = randomizePorts && endpoint.IsProxied ? null : endpoint.Port;

            // The target port of a container is a port inside it; a local process has only the outside.
            var targetPort = resource is ContainerResource ? null : endpoint.TargetPort;
            Validate(resource, endpoint, targetPort, instances);
            int publicPort;
            if (!endpoint.IsProxied)
            {
                publicPort = port ?? targetPort ?? LocalPorts.Allocate();
                SetTargets(endpoint, _ => publicPort);
            }
            else if (instances == 1 && targetPort is null)
            {
                publicPort = port ?? LocalPorts.Allocate();
                SetTargets(endpoint, _ => publicPort);
            }
            else
            {
                publicPort = port ?? LocalPorts.Allocate();
                SetTargets(endpoint, _ => targetPort ?? LocalPorts.Allocate());
                shared.Add(endpoint);
            }

            endpoint.AllocatedEndpoint = new AllocatedEndpoint(endpoint, PublicHost(endpoint.TargetHost), publicPort);
        }

        return (targetPorts, shared);

        void SetTargets(EndpointAnnotation endpoint, Func<int, int> port)
        {
            for (var i = 0; i < targetPorts.Length; i++)
            {
                targetPorts[i][endpoint.Name] = port(i);
            }
        }
    }

    /// <summary>The host in public addresses: a name, where the process listens on any address.</summary>
    private static string PublicHost(string targetHost) =>
        targetHost is "*" or "+" or "0.0.0.0" or "[::]" or "::" ? "localhost" : targetHost;

    private static void Validate(IResource resource, EndpointAnnotation endpoint, int? targetPort, int instances)
    {
        if (instances > 1 && !endpoint.IsProxied)
        {
            throw new DistributedApplicationException(
                $"Resource '{resource.Name}' uses multiple replicas and a proxy-less endpoint '{endpoint.Name}'. These features do not work together.");
        }

        if (instances > 1 && targetPort is not null)
        {
            throw new DistributedApplicationException(
                $"Resource '{resource.Name}' can have multiple replicas, and it uses endpoint '{endpoint.Name}' that has TargetPort property set. Each replica must have a unique port; setting TargetPort is not allowed.");
        }

        if (endpoint.IsProxied && targetPort is not null && endpoint.Port == targetPort)
        {
            throw new DistributedApplicationException(
                $"The endpoint '{endpoint.Name}' for resource '{resource.Name}' requested a proxy (IsProxied is true). Non-container resources cannot be proxied when both TargetPort and Port are specified with the same value.");
        }
    }
}
