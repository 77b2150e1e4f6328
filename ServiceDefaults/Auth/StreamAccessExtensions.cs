using AspireStreaming.ServiceDefaults.Auth;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.Hosting;

/// <summary>Who may do what: the services' authentication, and what endpoints need of it.</summary>
public static class StreamAccessExtensions
{
    /// <summary>The caller's rights; everything where the service needs no authentication.</summary>
    public static StreamAccess GetStreamAccess(this HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Features.Get<StreamAccess>()
            ?? (context.RequestServices.GetRequiredService<IOptions<AuthOptions>>().Value.IsConfigured
                ? StreamAccess.Nothing
                : StreamAccess.Everything);
    }

    /// <summary>The endpoint needs the claim <c>publish</c> to the stream that its route names as <c>{stream}</c>.</summary>
    public static TBuilder RequirePublish<TBuilder>(this TBuilder endpoint)
        where TBuilder : IEndpointConventionBuilder => endpoint.RequireClaim(TokenClaims.Publish);

    /// <summary>The endpoint needs the claim <c>subscribe</c> to the stream that its route names as <c>{stream}</c>.</summary>
    public static TBuilder RequireSubscribe<TBuilder>(this TBuilder endpoint)
        where TBuilder : IEndpointConventionBuilder => endpoint.RequireClaim(TokenClaims.Subscribe);

    /// <summary>The endpoint needs the claim <c>admin</c>.</summary>
    public static TBuilder RequireAdmin<TBuilder>(this TBuilder endpoint)
        where TBuilder : IEndpointConventionBuilder => endpoint.RequireClaim(TokenClaims.Admin);

    /// <summary>
    /// Lets nobody through to any route without a credential, but to those that allow it; nothing where no authentication is
    /// configured. Call it after CORS, whose preflights carry no credentials, and before everything that answers.
    /// </summary>
    public static WebApplication UseStreamAccess(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var options = app.Services.GetRequiredService<IOptions<AuthOptions>>().Value;
        var logger = app.Services.GetRequiredService<Logging.ILoggerFactory>().CreateLogger(typeof(AuthOptions).FullName!);
        if (!options.IsConfigured)
        {
            if (options.AllowAnonymous && !app.Environment.IsDevelopment())
            {
                AuthLog.AuthOff(logger);
            }

            return app;
        }

        var hasJwks = !string.IsNullOrEmpty(options.Jwt.Jwks);
        AuthLog.AuthOn(logger, !string.IsNullOrEmpty(options.Jwt.Secret), hasJwks, options.ApiKeys.Count);
        if (hasJwks && string.IsNullOrEmpty(options.Jwt.Audience))
        {
            AuthLog.AudienceOpen(logger);
        }

        app.UseAuthentication();
        app.UseAuthorization();
        return app;
    }

    internal static void AddStreamAccess(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        var section = builder.Configuration.GetSection(AuthOptions.SectionName);
        services.AddOptionsWithValidateOnStart<AuthOptions>().Bind(section).ValidateDataAnnotations();
        services.AddSingleton<IValidateOptions<AuthOptions>, AuthOptionsRules>();

        // Endpoints say what they need whether anybody checks it or not.
        services.Configure<RouteOptions>(options => options.SuppressCheckForUnhandledSecurityMetadata = true);
        if (section.Get<AuthOptions>() is not { IsConfigured: true })
        {
            return;
        }

        services.AddSingleton<ApiKeyStore>();
        services.AddSingleton<VerifiedTokens>();
        services.AddSingleton<KeySetReader>();
        services.AddHttpClient(KeySetReader.ClientName);
        services.AddSingleton<SigningKeys>();
        services.AddHostedService(provider => provider.GetRequiredService<SigningKeys>());
        services.AddSingleton<JwtVerifier>();
        services.AddSingleton<IAuthorizationHandler, AccessRequirement.Handler>();
        services.AddAuthentication(StreamAccessHandler.SchemeName)
            .AddScheme<AuthenticationSchemeOptions, StreamAccessHandler>(StreamAccessHandler.SchemeName, null);
        services.AddAuthorizationBuilder()
            .SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build())
            .AddPolicy(PolicyOf(TokenClaims.Publish), policy => Require(policy, TokenClaims.Publish))
            .AddPolicy(PolicyOf(TokenClaims.Subscribe), policy => Require(policy, TokenClaims.Subscribe))
            .AddPolicy(PolicyOf(TokenClaims.Admin), policy => Require(policy, TokenClaims.Admin));
        services.WrapServer();
    }

    private static string PolicyOf(string claim) => "aspirestreaming:" + claim;

    private static void Require(AuthorizationPolicyBuilder policy, string claim) =>
        policy.RequireAuthenticatedUser().AddRequirements(new AccessRequirement(claim));

    private static TBuilder RequireClaim<TBuilder>(this TBuilder endpoint, string claim)
        where TBuilder : IEndpointConventionBuilder => endpoint.RequireAuthorization(PolicyOf(claim));

    /// <summary>Puts <see cref="AccessTokenServer"/> around the server that is registered.</summary>
    private static void WrapServer(this IServiceCollection services)
    {
        var server = services.LastOrDefault(service => service.ServiceType == typeof(IServer) && !service.IsKeyedService);
        if (server is null)
        {
            return;
        }

        services.Remove(server);
        services.AddSingleton<IServer>(provider => new AccessTokenServer((IServer)(
            server.ImplementationInstance
            ?? server.ImplementationFactory?.Invoke(provider)
            ?? ActivatorUtilities.CreateInstance(provider, server.ImplementationType!))));
    }
}
