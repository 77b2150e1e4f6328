using System.Threading.RateLimiting;

namespace Polly.RateLimiting;

internal sealed class RateLimiterResilienceStrategy(Func<RateLimiterArguments, ValueTask<RateLimitLease>> acquire) : ResilienceStrategy
{
    protected override async ValueTask<Outcome<TResult>> ExecuteCore<TResult, TState>(
        Func<ResilienceContext, TState, ValueTask<Outcome<TResult>>> callback, ResilienceContext context, TState state)
    {
        using var lease = await acquire(new RateLimiterArguments(context)).ConfigureAwait(context.ContinueOnCapturedContext);
        if (lease.IsAcquired)
        {
            return await callback(context, state).ConfigureAwait(context.ContinueOnCapturedContext);
        }

        return Outcome.FromException<TResult>(lease.TryGetMetadata(MetadataName.RetryAfter, out var retryAfter)
            ? new RateLimiterRejectedException(retryAfter)
            : new RateLimiterRejectedException());
    }
}
