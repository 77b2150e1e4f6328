using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Orchestration;

/// <summary>One process that runs (or will run, or has run) for a resource: one of a project's replicas, or the only one.</summary>
internal sealed class ResourceInstance
{
    public required IResource Resource { get; init; }

    /// <summary>Resource name, hyphen, suffix.</summary>
    public required string Id { get; init; }

    /// <summary>What the console calls it: its resource's name, or its id if there are several.</summary>
    public required string DisplayName { get; init; }

    /// <summary>Eight random lower-case letters.</summary>
    public required string Suffix { get; init; }

    /// <summary>The port on which this instance itself listens, by endpoint name; the same for the whole run of the host.</summary>
    public required IReadOnlyDictionary<string, int> TargetPorts { get; init; }

    public required IConfiguration Configuration { get; init; }

    public required IHostEnvironment HostEnvironment { get; init; }
}
