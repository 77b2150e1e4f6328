using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;

namespace AspireStreaming.ServiceDefaults.Auth;

/// <summary>A claim that an endpoint needs; for <c>publish</c> and <c>subscribe</c> one to the stream in its route.</summary>
/// <param name="Claim">The claim's name.</param>
internal sealed record AccessRequirement(string Claim) : IAuthorizationRequirement
{
    /// <summary>The route parameter that names the stream.</summary>
    private const string StreamParameter = "stream";

    /// <summary>Checks it.</summary>
    internal sealed class Handler : AuthorizationHandler<AccessRequirement>
    {
        protected override Task HandleRequirementAsync(AuthorizationHandlerContext context, AccessRequirement requirement)
        {
            if (context.Resource is HttpContext http)
            {
                var access = http.GetStreamAccess();
                var stream = requirement.Claim == TokenClaims.Admin ? null : http.GetRouteValue(StreamParameter) as string;
                if (Grants(access, requirement.Claim, stream))
                {
                    context.Succeed(requirement);
                }
                else
                {
                    http.Features.Set(AccessRefusal.Forbidden(stream, requirement.Claim));
                }
            }

            return Task.CompletedTask;
        }

        private static bool Grants(StreamAccess access, string claim, string? stream) => claim switch
        {
            TokenClaims.Publish => stream is not null && access.CanPublish(stream),
            TokenClaims.Subscribe => stream is not null && access.CanSubscribe(stream),
            _ => access.IsAdmin,
        };
    }
}
