using System.Diagnostics.Metrics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireStreaming.Streaming.Redis.Link;

/// <summary>
/// Watches over the connections to Redis. The client reconnects by itself when a connection is closed; what it may never notice is
/// one that stays open and silent. When checks fail, new connections are tried, and as soon as those work they take the place of the
/// old ones. So a Redis that is frozen keeps its connections, and a connection that the network forgot does not outlive a few checks.
/// </summary>
internal sealed class RedisLinkMonitor : BackgroundService
{
    public const string MeterName = "AspireStreaming.Redis";

    private static readonly TimeSpan DisposeTimeout = TimeSpan.FromSeconds(2);

    private readonly RedisLink _link;
    private readonly RedisGate _gate;
    private readonly RedisReconnectPolicy _policy;
    private readonly RedisLinkOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<RedisLinkMonitor> _logger;
    private readonly Counter<long> _failed;
    private readonly Counter<long> _replaced;
    private Task _disposing = Task.CompletedTask;

    public RedisLinkMonitor(
        RedisLink link,
        RedisGate gate,
        RedisReconnectPolicy policy,
        IOptions<RedisLinkOptions> options,
        IMeterFactory meters,
        TimeProvider time,
        ILogger<RedisLinkMonitor> logger)
    {
        _link = link;
        _gate = gate;
        _policy = policy;
        _options = options.Value;
        _time = time;
        _logger = logger;
        var meter = meters.Create(MeterName);
        _failed = meter.CreateCounter<long>("aspirestreaming.redis.checks.failed", "{check}", "Checks of the connections to Redis without an answer");
        _replaced = meter.CreateCounter<long>("aspirestreaming.redis.connections.replaced", "{replacement}", "Stale connections to Redis replaced");
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
        await ((Task)_disposing.WaitAsync(DisposeTimeout, _time, cancellationToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _gate.Restored += _policy.Returned;
        try
        {
            var probe = new RedisProbe(_link.Current, _gate.Returned, _time);
            var backoff = new Backoff();
            while (true)
            {
                var start = _time.GetTimestamp();
                if (await probe.CheckAsync(_options.CheckTimeout, stoppingToken).ConfigureAwait(false) is { } fault)
                {
                    var pause = OnFailure(fault, backoff) - _time.GetElapsedTime(start);

                    // A connection that was closed is the client's to renew; it gets more time than one that is only silent.
                    var patience = fault.Reason is TimeoutException ? _options.FailuresBeforeReplacement : 2 * _options.FailuresBeforeReplacement;
                    if (backoff.Failures >= patience
                        && await TryConnectAsync(fault, stoppingToken).ConfigureAwait(false) is { } successor)
                    {
                        Replace(successor, fault.Part, backoff.Failures);
                        probe = successor;
                        backoff.Reset();
                    }
                    else
                    {
                        await PauseAsync(pause, fault, stoppingToken).ConfigureAwait(false);
                    }

                    continue;
                }

                if (backoff.Failures > 0)
                {
                    RedisLinkLog.Back(_logger, backoff.Failures);
                    backoff.Reset();
                }

                _gate.Succeeded();
                await Task.Delay(_options.CheckInterval * (0.8 + (0.4 * Random.Shared.NextDouble())), _time, stoppingToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
        finally
        {
            _gate.Restored -= _policy.Returned;
        }
    }

    private TimeSpan OnFailure((string Part, Exception Reason) fault, Backoff backoff)
    {
        _failed.Add(1, new KeyValuePair<string, object?>("connection", fault.Part));
        if (backoff.Failures == 0)
        {
            RedisLinkLog.Silent(_logger, fault.Part, fault.Reason);
        }

        return backoff.Next();
    }

    private async Task PauseAsync(TimeSpan pause, (string Part, Exception Reason) fault, CancellationToken cancellationToken)
    {
        if (pause <= TimeSpan.Zero)
        {
            return;
        }

        if (fault.Part == RedisProbe.Messages)
        {
            // That commands succeed says nothing about messages.
            await Task.Delay(pause, _time, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await _gate.WaitAsync(pause, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>New connections, if they work where the old ones do not.</summary>
    private async Task<RedisProbe?> TryConnectAsync((string Part, Exception Reason) fault, CancellationToken cancellationToken)
    {
        if (fault.Reason is RedisServerException && RedisFaults.Classify(fault.Reason) == FaultKind.Permanent)
        {
            // It answers, and would say the same on any other connection: it does not permit the check.
            return null;
        }

        // Connecting blocks for as long as the client's connect timeout.
        var connecting = Task.Run(_link.Connect, CancellationToken.None);
        try
        {
            var successor = new RedisProbe(await connecting.WaitAsync(cancellationToken).ConfigureAwait(false), _gate.Returned, _time);
            if (await successor.CheckAsync(_options.CheckTimeout, cancellationToken).ConfigureAwait(false) is null)
            {
                return successor;
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            Retire(connecting);
            throw;
        }
        catch (Exception exception)
        {
            // Whatever it was: the old ones are still there.
            RedisLinkLog.ReplacementFailed(_logger, exception);
        }

        Retire(connecting);
        return null;
    }

    private void Replace(RedisProbe successor, string part, int failures)
    {
        RedisLinkLog.Replaced(_logger, part, failures);
        _replaced.Add(1, new KeyValuePair<string, object?>("connection", part));
        Retire(Task.FromResult(_link.Replace(successor.Multiplexer)));
        _gate.Returned();
    }

    /// <summary>Disposes of connections, one after another; closing blocks.</summary>
    private void Retire(Task<IConnectionMultiplexer> connecting)
    {
        var before = _disposing;
        _disposing = Task.Run(async () =>
        {
            await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var multiplexer = await connecting.ConfigureAwait(false);
            multiplexer.Close(allowCommandsToComplete: false);
            multiplexer.Dispose();
        });
    }
}
