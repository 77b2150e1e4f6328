using System.Globalization;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Fleet;

/// <summary>Who this replica is.</summary>
internal sealed class ReplicaIdentity(IOptions<FleetOptions> options, IServer server, TimeProvider time)
{
    private readonly string _name = options.Value.ReplicaName is { Length: > 0 } name ? name : string.Create(
        CultureInfo.InvariantCulture, $"{Environment.MachineName}/{Environment.ProcessId}/{Random.Shared.Next(0x10000):x4}");

    /// <summary>Its id.</summary>
    public string Id { get; } = Guid.NewGuid().ToString("N");

    /// <summary>When it started.</summary>
    public DateTimeOffset Since { get; } = time.GetUtcNow();

    /// <summary>Its id, name and address.</summary>
    public Replica Self => new(Id, _name, server.Features.Get<IServerAddressesFeature>()?.Addresses.LastOrDefault());
}
