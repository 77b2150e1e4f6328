namespace Aspire.Hosting;

public sealed class ConnectionStringResource(string name, ApplicationModel.ReferenceExpression connectionStringExpression)
    : ApplicationModel.Resource(name), ApplicationModel.IResourceWithConnectionString, ApplicationModel.IResourceWithWaitSupport
{
    public ApplicationModel.ReferenceExpression ConnectionStringExpression { get; } = connectionStringExpression;
}
