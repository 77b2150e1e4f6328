namespace AspireStreaming.StreamApi.Sessions;

/// <summary>
/// How many events should be under way, from what acknowledgements tell: the bandwidth-delay product of BBR (Cardwell et al.,
/// "BBR: Congestion-Based Congestion Control", ACM Queue 14(5), 2016), in events. Deterministic: it knows no clock but the
/// timestamps that it is given.
/// </summary>
/// <remarks>
/// The limit is <see cref="Gain"/> times the highest recent delivery rate times the shortest recent round trip. As long as the
/// window is the bottleneck, more window gives a higher rate, so the limit multiplies by up to the gain a round trip. Once the
/// client is the bottleneck, more in flight only makes round trips longer; the shortest stays what it was, and so does the limit.
/// A client that slows down has a lower rate, and the limit falls with it. Now and then the limit drops to its minimum for a
/// moment, so that the shortest round trip is measured again without the queue that the window itself makes.
/// </remarks>
internal sealed class BottleneckEstimate(SessionOptions options, long frequency)
{
    /// <summary>
    /// BBR cruises at 2. Clients acknowledge in batches, so a round trip grows with the batch: with an overhead of a per round trip
    /// and b per event, the limit settles near (gain - 1) a/b and the rate at (gain - 1)/gain of the best; 6 gives 83%.
    /// </summary>
    public const int Gain = 6;

    /// <summary>Rounds whose highest rate counts.</summary>
    private const int Rounds = 10;

    /// <summary>A round takes at least this long, so that a burst does not push out what is known.</summary>
    private readonly long _minRound = frequency / 10;

    /// <summary>How long a shortest round trip holds.</summary>
    private readonly long _roundTripLife = frequency * 10;

    /// <summary>How long the limit stays down to measure it again.</summary>
    private readonly long _probeTime = frequency / 5;

    private readonly double[] _rates = new double[Rounds];
    private int _round;
    private long _roundBegan;
    private long _roundTrip = long.MaxValue;
    private long _roundTripSince;
    private long _probeUntil;

    /// <summary>Most events that should be under way.</summary>
    public int Limit { get; private set; } = options.InitialWindow;

    /// <summary>Events a second, the highest rate of the recent rounds; 0 while unknown.</summary>
    public double Rate => _rates.Max();

    /// <summary>The shortest recent round trip; null while unknown.</summary>
    public TimeSpan? RoundTrip => _roundTrip == long.MaxValue ? null : TimeSpan.FromSeconds((double)_roundTrip / frequency);

    /// <summary>Whether the limit is down to measure the round trip.</summary>
    public bool IsProbing => _probeUntil != 0;

    /// <summary>Takes one acknowledgement.</summary>
    /// <param name="now">When it came.</param>
    /// <param name="roundTrip">Since the newest of its events was sent.</param>
    /// <param name="delivered">Events acknowledged in <paramref name="interval"/>.</param>
    /// <param name="interval">The time that took.</param>
    /// <param name="wasIdle">Whether there was nothing more to send at that time: the rate is then the stream's, not the client's.</param>
    /// <param name="wasShallow">Whether so little was in flight that the window itself can't have made the round trip longer.</param>
    public void Acknowledged(long now, long roundTrip, long delivered, long interval, bool wasIdle, bool wasShallow)
    {
        TakeRoundTrip(now, Math.Max(1, roundTrip), wasShallow);
        TakeRate(now, (double)delivered * frequency / Math.Max(1, interval), wasIdle);
        Limit = IsProbing
            ? options.MinWindow
            : (int)Math.Clamp(Math.Ceiling(Gain * Rate * _roundTrip / frequency), options.MinWindow, options.MaxWindow);
    }

    private void TakeRoundTrip(long now, long roundTrip, bool wasShallow)
    {
        if (_probeUntil != 0 && now >= _probeUntil)
        {
            _probeUntil = 0;
        }

        var isOld = now - _roundTripSince >= _roundTripLife;
        if (roundTrip <= _roundTrip || (isOld && wasShallow))
        {
            _roundTrip = roundTrip;
            _roundTripSince = now;
            _probeUntil = Math.Min(_probeUntil, now + _probeTime);
        }
        else if (isOld && !IsProbing)
        {
            // Long enough to empty the queue of a window of events, and to see a round trip without it.
            _probeUntil = now + Math.Max(_probeTime, 2 * roundTrip);
        }
    }

    private void TakeRate(long now, double rate, bool wasIdle)
    {
        var best = Rate;
        if (wasIdle && rate <= best)
        {
            return;
        }

        if (now - _roundBegan >= Math.Max(_minRound, _roundTrip))
        {
            _roundBegan = now;
            _round = (_round + 1) % Rounds;
            _rates[_round] = 0;
        }

        // What the probe slows down says nothing about the client.
        if (!IsProbing || rate > best)
        {
            _rates[_round] = Math.Max(_rates[_round], rate);
        }
    }
}
