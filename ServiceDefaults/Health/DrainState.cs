using Microsoft.Extensions.Hosting;

namespace AspireStreaming.ServiceDefaults.Health;

/// <summary>
/// Whether this replica is on its way out. Draining begins when the host begins to stop, or earlier by
/// <see cref="BeginDrain"/>, and never ends; meanwhile <c>/health</c> answers 503, so that nothing new is routed here.
/// </summary>
public sealed class DrainState : IDisposable
{
    private readonly CancellationTokenSource _draining = new();
    private readonly CancellationTokenRegistration _stopping;

    /// <summary>Follows the host's lifetime.</summary>
    public DrainState(IHostApplicationLifetime lifetime)
    {
        ArgumentNullException.ThrowIfNull(lifetime);
        Draining = _draining.Token;
        _stopping = lifetime.ApplicationStopping.Register(BeginDrain);
    }

    /// <summary>True from the beginning of the drain on.</summary>
    public bool IsDraining => Draining.IsCancellationRequested;

    /// <summary>Cancelled when the drain begins.</summary>
    public CancellationToken Draining { get; }

    /// <summary>Begins the drain; again is no error.</summary>
    public void BeginDrain() => _draining.Cancel();

    /// <inheritdoc />
    public void Dispose()
    {
        _stopping.Dispose();
        _draining.Dispose();
    }
}
