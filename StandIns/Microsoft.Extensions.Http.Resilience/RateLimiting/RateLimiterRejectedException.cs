namespace Polly.RateLimiting;

/// <summary>The limiter had no permit, and no room to wait for one.</summary>
public sealed class RateLimiterRejectedException : ExecutionRejectedException
{
    private const string DefaultMessage = "The operation could not be executed because it was rejected by the rate limiter.";

    public RateLimiterRejectedException()
        : base(DefaultMessage)
    {
    }

    public RateLimiterRejectedException(TimeSpan retryAfter)
        : base($"{DefaultMessage} It can be retried after '{retryAfter}'.")
    {
        RetryAfter = retryAfter;
    }

    public RateLimiterRejectedException(string message)
        : base(message)
    {
    }

    public RateLimiterRejectedException(string message, Exception inner)
        : base(message, inner)
    {
    }

    public TimeSpan? RetryAfter { get; }
}
