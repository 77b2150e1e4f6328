using AspireStreaming.StreamApi.Sessions;
using AspireStreaming.Streaming.Contracts;

namespace AspireStreaming.StreamApi.Tests.Sessions;

/// <summary>
/// A subscription with an endless backlog, a client that takes events at a rate one after another, and a network with a latency,
/// in simulated microseconds.
/// </summary>
internal sealed class WindowSimulation(SlidingWindow window, double latencyMilliseconds, int acknowledgeEvery)
{
    private const int BatchEvents = 256;

    private readonly long _oneWay = (long)(latencyMilliseconds * 1000 / 2);
    private readonly PriorityQueue<(long Sequence, bool IsAck), (long At, long Order)> _events = new();
    private double _clientFreeAt;
    private long _now;
    private long _sequence;
    private long _order;
    private long _received;

    /// <summary>Events that the client has dealt with.</summary>
    public long Delivered { get; private set; }

    /// <summary>Runs up to 40 simulated seconds, and counts the last three quarters.</summary>
    public static (long Delivered, int Limit) Deliver(SlidingWindow window, int drainRate, double latencyMilliseconds, int acknowledgeEvery)
    {
        var simulation = new WindowSimulation(window, latencyMilliseconds, acknowledgeEvery);
        var seconds = Math.Clamp(200_000.0 / drainRate, 1, 10);
        simulation.Run(seconds, drainRate);
        var warm = simulation.Delivered;
        simulation.Run(3 * seconds, drainRate);
        return (simulation.Delivered - warm, window.Limit);
    }

    public void Run(double seconds, int drainRate)
    {
        var end = _now + (long)(seconds * 1_000_000);
        var service = 1_000_000.0 / drainRate;
        Send(service);
        while (_events.TryPeek(out _, out var next) && next.At <= end)
        {
            var (sequence, isAck) = _events.Dequeue();
            _now = next.At;
            if (isAck)
            {
                window.OnAcknowledged(new StreamPosition(1, sequence), _now);
                Send(service);
            }
            else
            {
                Delivered++;
                if (++_received % acknowledgeEvery == 0)
                {
                    _events.Enqueue((sequence, true), (_now + _oneWay, _order++));
                }
            }
        }

        _now = end;
    }

    private void Send(double service)
    {
        for (var count = 0; count < BatchEvents && window.Credit > 0; count++)
        {
            window.OnSent(new StreamPosition(1, ++_sequence), _now);
            _clientFreeAt = Math.Max(_clientFreeAt, _now + _oneWay) + service;
            _events.Enqueue((_sequence, false), ((long)_clientFreeAt, _order++));
        }
    }
}
