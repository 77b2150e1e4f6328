namespace Polly.RateLimiting;

public readonly struct RateLimiterArguments(ResilienceContext context)
{
    public ResilienceContext Context { get; } = context;
}
