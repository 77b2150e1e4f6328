using Microsoft.Extensions.Options;

namespace AspireStreaming.PublisherApi.Appending;

/// <summary>What the circuit lets through. The numbers are those of the metric.</summary>
internal enum CircuitState
{
    /// <summary>Everything.</summary>
    Closed = 0,

    /// <summary>One try, which decides.</summary>
    HalfOpen = 1,

    /// <summary>Nothing, for a while.</summary>
    Open = 2,
}

/// <summary>What a caller was let through as.</summary>
internal enum CircuitPass
{
    Refused,
    Ordinary,
    Trial,
}

/// <summary>
/// Opens after a number of consecutive failures and lets one try through when the break is over. Thread-safe; without a lock while
/// all is well.
/// </summary>
/// <remarks>
/// Not Polly's own breaker: that one samples a ratio over a time, and at ratio 1.0 a single success of the last seconds keeps it
/// closed while Redis is long gone. At a few hundred appends a second it would open only when the window has passed.
/// </remarks>
internal sealed class RedisCircuit
{
    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly ILogger<RedisCircuit> _logger;
    private readonly int _breakAfter;
    private readonly TimeSpan _break;
    private int _failures;
    private bool _open;
    private bool _trialRuns;
    private long _openedAt;

    public RedisCircuit(IOptions<RedisResilienceOptions> options, TimeProvider time, ILogger<RedisCircuit> logger)
    {
        _time = time;
        _logger = logger;
        _breakAfter = options.Value.BreakAfterFailures;
        _break = options.Value.BreakDuration;
    }

    public CircuitState State
    {
        get
        {
            lock (_lock)
            {
                return !_open ? CircuitState.Closed : RemainingLocked() > TimeSpan.Zero ? CircuitState.Open : CircuitState.HalfOpen;
            }
        }
    }

    /// <summary>Whether it is closed and the last try succeeded, so that nobody need ask it or tell it of a success.</summary>
    public bool IsAtRest => !Volatile.Read(ref _open) && Volatile.Read(ref _failures) == 0;

    /// <summary>What is left of the break; zero when there is none.</summary>
    public TimeSpan Remaining
    {
        get
        {
            lock (_lock)
            {
                return _open ? RemainingLocked() : TimeSpan.Zero;
            }
        }
    }

    /// <summary>Asks to try. Unless refused, the caller reports the end to one of the other methods.</summary>
    public CircuitPass Enter()
    {
        if (!Volatile.Read(ref _open))
        {
            return CircuitPass.Ordinary;
        }

        lock (_lock)
        {
            if (!_open)
            {
                return CircuitPass.Ordinary;
            }

            if (_trialRuns || RemainingLocked() > TimeSpan.Zero)
            {
                return CircuitPass.Refused;
            }

            _trialRuns = true;
        }

        CircuitLog.HalfOpened(_logger);
        return CircuitPass.Trial;
    }

    /// <summary>Redis answered.</summary>
    public void Succeeded(CircuitPass pass)
    {
        if (pass == CircuitPass.Ordinary && Volatile.Read(ref _failures) == 0)
        {
            return;
        }

        lock (_lock)
        {
            if (pass == CircuitPass.Trial)
            {
                _open = false;
                _trialRuns = false;
                _failures = 0;
            }
            else if (!_open)
            {
                _failures = 0;
            }
        }

        if (pass == CircuitPass.Trial)
        {
            CircuitLog.Closed(_logger);
        }
    }

    /// <summary>Redis was away or did not answer in time.</summary>
    public void Failed(CircuitPass pass, Exception exception)
    {
        lock (_lock)
        {
            if (pass == CircuitPass.Trial)
            {
                _trialRuns = false;
            }
            else if (_open || ++_failures < _breakAfter)
            {
                // A try that began before the circuit opened tells nothing new.
                return;
            }

            _open = true;
            _openedAt = _time.GetTimestamp();
        }

        CircuitLog.Opened(_logger, _breakAfter, _break.TotalSeconds, exception);
    }

    /// <summary>The caller gave up before there was an answer.</summary>
    public void Abandoned(CircuitPass pass)
    {
        if (pass == CircuitPass.Trial)
        {
            lock (_lock)
            {
                _trialRuns = false;
            }
        }
    }

    private TimeSpan RemainingLocked()
    {
        var remaining = _break - _time.GetElapsedTime(_openedAt);
        return remaining > TimeSpan.Zero ? remaining : TimeSpan.Zero;
    }
}
